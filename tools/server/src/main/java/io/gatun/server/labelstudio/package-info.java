/// Label Studio's protocol for models that help annotators: masks of what they click.
package io.gatun.server.labelstudio;
