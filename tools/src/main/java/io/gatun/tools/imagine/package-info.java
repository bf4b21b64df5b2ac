/// `gatun imagine` and `gatun upscale`: images of a prompt, and larger ones of images.
///
/// [Imagine] has the options of the pipeline in [DiffusionModelOptions], of the image in
/// [ImagineMixin], of what it is made from in [PictureOptions]; [FromImage] takes them from an
/// image that was made before, [ImagineBatch] from lines of JSON. [RemoteImages] has a server make
/// the images; [StepProgress] shows how far one is. [Upscale] stands alone.
package io.gatun.tools.imagine;
