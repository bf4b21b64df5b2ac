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
  /// EfficientSAM's, whose image encoder begins with names of SAM's: it is looked for first.
  EFFICIENT_SAM(NameTables.EFFICIENT_SAM, "prompt_encoder.point_embeddings.2.weight"),
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

  private final List<NameTables.Row> table;
  private final String mark;

  /// @param mark a tensor, the name of which no earlier family has
  SamNames(List<NameTables.Row> table, String mark) {
    this.table = table;
    this.mark = name(mark);
  }

  /// The first family whose mark the checkpoint holds.
  ///
  /// @throws CheckpointException if it holds none
  public static SamNames of(Checkpoint checkpoint) {
    for (var family : values()) {
      if (checkpoint.tensors().containsKey(family.mark)) {
        return family;
      }
    }
    throw new CheckpointException(
        "%s: no Segment Anything model: it has none of %s. List the file with: gatun inspect %s"
            .formatted(
                checkpoint.path(),
                Arrays.stream(values()).map(f -> f.mark).collect(Collectors.joining(", ")),
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
