/// Layers that two architectures or more have in common.
package io.gatun.models.nn;
