/// JSON as trees.
package io.gatun.models.json;
