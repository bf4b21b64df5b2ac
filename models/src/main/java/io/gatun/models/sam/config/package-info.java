/// What Segment Anything models are: the shapes that their files say, and the names of their
/// tensors in the layouts of Meta and Hugging Face.
package io.gatun.models.sam.config;
