/// Automatic mask generation: all objects of an image, from a grid of points.
///
/// Source: `segment_anything/automatic_mask_generator.py` and `utils/amg.py`, whose names this
/// package has.
package io.gatun.models.sam.amg;
