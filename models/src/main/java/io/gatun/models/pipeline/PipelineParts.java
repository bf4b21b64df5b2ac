package io.gatun.models.pipeline;

import io.gatun.models.clip.TextualInversion;
import io.gatun.models.diffusion.files.PipelineFiles;
import io.gatun.models.nn.Weights;
import io.gatun.models.unet.ControlNetModel;
import io.gatun.tensor.ops.Functional;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Consumer;

/// What a pipeline is made of.
///
/// @param weights a part's weights, by its name, with what changes them
/// @param network the operations of the network, in every step
/// @param once the operations of what runs once for an image
/// @param latentChannels of the autoencoder
/// @param controlNets what is to steer a UNet
/// @param taught words that the text encoders of Stable Diffusion 1, 2 and XL were taught
/// @param notices takes the lines that warn the user
public record PipelineParts(
    PipelineFiles files,
    BiFunction<String, Functional, Weights> weights,
    Functional network,
    Functional once,
    int latentChannels,
    List<ControlNetModel> controlNets,
    List<TextualInversion> taught,
    Consumer<String> notices) {}
