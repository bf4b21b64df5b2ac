/// CLIPSeg: where in an image a text is about.
///
/// Source: Lueddecke and Ecker, "Image Segmentation Using Text and Image Prompts", arXiv
/// 2112.10003, as transformers has it, whose names this package has.
package io.gatun.models.clipseg;
