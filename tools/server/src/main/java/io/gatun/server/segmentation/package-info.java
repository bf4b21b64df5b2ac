/// `/v1/segmentations`: masks of what is in an image.
package io.gatun.server.segmentation;
