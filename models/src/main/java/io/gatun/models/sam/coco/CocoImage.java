package io.gatun.models.sam.coco;

/// An image that annotations are about.
///
/// @param fileName as the annotations' file says it
/// @param width in pixels
/// @param height in pixels
public record CocoImage(long id, String fileName, int width, int height) {}
