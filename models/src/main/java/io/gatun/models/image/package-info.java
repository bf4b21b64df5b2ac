/// Pictures: reading, writing, resizing and showing them.
///
/// Shape legend: an [Image] is (H, W, C), rows from the top, C being red, green, blue and perhaps
/// alpha, each a byte.
package io.gatun.models.image;
