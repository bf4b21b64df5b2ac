/// Model architectures, one package each.
module io.gatun.models {
  requires transitive com.fasterxml.jackson.databind;
  requires transitive io.gatun.loaders;
  requires java.desktop;

  exports io.gatun.models;
  exports io.gatun.models.chat;
  exports io.gatun.models.clip;
  exports io.gatun.models.clipseg;
  exports io.gatun.models.constraint;
  exports io.gatun.models.diffusion;
  exports io.gatun.models.diffusion.files;
  exports io.gatun.models.diffusion.lora;
  exports io.gatun.models.diffusion.schedulers;
  exports io.gatun.models.dit;
  exports io.gatun.models.decoder;
  exports io.gatun.models.decoder.arch;
  exports io.gatun.models.encoder;
  exports io.gatun.models.engine;
  exports io.gatun.models.esrgan;
  exports io.gatun.models.evaluation;
  exports io.gatun.models.image;
  exports io.gatun.models.lora;
  exports io.gatun.models.nn;
  exports io.gatun.models.pipeline;
  exports io.gatun.models.quantized;
  exports io.gatun.models.quantize;
  exports io.gatun.models.qwen3;
  exports io.gatun.models.rewrite;
  exports io.gatun.models.sam;
  exports io.gatun.models.sam.amg;
  exports io.gatun.models.sam.coco;
  exports io.gatun.models.sam.config;
  exports io.gatun.models.sam.export;
  exports io.gatun.models.sam.modeling;
  exports io.gatun.models.sam.modeling.encoder;
  exports io.gatun.models.sam.video;
  exports io.gatun.models.sampling;
  exports io.gatun.models.t5;
  exports io.gatun.models.text;
  exports io.gatun.models.toolcall;
  exports io.gatun.models.unet;
  exports io.gatun.models.vae;
}
