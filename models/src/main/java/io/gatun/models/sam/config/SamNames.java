package io.gatun.models.sam.config;

import io.gatun.loaders.Checkpoint;
import io.gatun.loaders.CheckpointException;
import io.gatun.models.nn.WeightNames;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The names that checkpoints give to the same tensors: those by which Gatun asks, see
/// [NameTables], and others.
public enum SamNames implements WeightNames {
  /// In Meta's .pth files and in safetensors made of them.
  SEGMENT_ANYTHING(NameTables.SAME, "image_encoder.patch_embed.proj.weight"),
  HUGGING_FACE(NameTables.HUGGING_FACE, "image_encoder.patch_embed.proj.weight"),
  /// MobileSAM's, which are SAM's but for the image encoder.
  MOBILE_SAM(NameTables.SAME, "image_encoder.patch_embed.seq.0.c.weight"),
  /// In Meta's .pt files of SAM 2.
  SAM2(NameTables.SAM2, "image_encoder.trunk.patch_embed.proj.weight"),
  HUGGING_FACE_SAM2(NameTables.HUGGING_FACE_SAM2, "image_encoder.trunk.patch_embed.proj.weight");

  /// Points' embeddings, which transformers has as the rows of one table in SAM 2.
  private static final Pattern POINT =
      Pattern.compile("prompt_encoder\\.point_embeddings\\.(\\d)\\.weight");

  private static final int POINTS = 4;

  /// A tensor that only EfficientSAM has, whose image encoder has names of SAM's.
  private static final String OF_EFFICIENT_SAM = "prompt_encoder.bbox_top_left_embeddings.weight";

  private final List<NameTables.Row> table;
  private final String patchEmbed;

  /// @param patchEmbed a layer of a name that only one model has
  SamNames(List<NameTables.Row> table, String patchEmbed) {
    this.table = table;
    this.patchEmbed = name(patchEmbed);
  }

  /// The family whose patch embedding the checkpoint holds.
  ///
  /// @throws CheckpointException if it holds none
  public static SamNames of(Checkpoint checkpoint) {
    if (checkpoint.tensors().containsKey(OF_EFFICIENT_SAM)) {
      throw new CheckpointException(
          "%s: EfficientSAM, whose prompt encoder and mask decoder are not SAM's: Gatun does not run it. Need SAM, SAM-HQ, SlimSAM, SAM 2 or 2.1, or MobileSAM; small ones are mobile_sam.pt and facebook/sam2.1-hiera-tiny"
              .formatted(checkpoint.path()));
    }
    for (var family : values()) {
      if (checkpoint.tensors().containsKey(family.patchEmbed)) {
        return family;
      }
    }
    throw new CheckpointException(
        "%s: no Segment Anything model: it has none of %s. List the file with: gatun inspect %s"
            .formatted(
                checkpoint.path(),
                Arrays.stream(values()).map(f -> f.patchEmbed).collect(Collectors.joining(", ")),
                checkpoint.path()));
  }

  /// This family's name for a tensor given by the name by which Gatun asks.
  String name(String ours) {
    return NameTables.name(table, ours);
  }

  @Override
  public Stored stored(String name) {
    var point = POINT.matcher(name);
    if (this == HUGGING_FACE_SAM2 && point.matches()) {
      int row = Integer.parseInt(point.group(1));
      return Stored.of("prompt_encoder.point_embed.weight").part(row, POINTS);
    }
    return Stored.of(name(name));
  }
}
