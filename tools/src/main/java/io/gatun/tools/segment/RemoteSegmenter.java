package io.gatun.tools.segment;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.Prompt;
import io.gatun.models.sam.Rle;
import io.gatun.models.sam.amg.MaskAnnotation;
import io.gatun.tools.console.Texts;
import io.gatun.tools.remote.RemoteServer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A model of a server's.
final class RemoteSegmenter implements Segmenter {
  private final RemoteServer server;
  private final String name;
  private final PromptOptions prompts;
  private String model = "";
  private String trainedOn = "";

  /// @param name the model's; null for the server's first
  RemoteSegmenter(RemoteServer server, String name, PromptOptions prompts) {
    this.server = server;
    this.name = name;
    this.prompts = prompts;
  }

  @Override
  public String model() {
    return model;
  }

  @Override
  public String trainedOn() {
    return trainedOn;
  }

  @Override
  public String loaded() {
    return "";
  }

  @Override
  public Found<List<Mask>> find(
      Path file, Image picture, List<Prompt> asked, Mask mask, boolean multimask) {
    var body = RemoteServer.body();
    prompts.tell(body);
    body.put("multimask", multimask);
    if (mask != null) {
      body.put("mask_input", RemoteServer.dataUrl(mask.toImage().png(Map.of())));
    }
    JsonNode answer = ask(file, body);
    var found = new ArrayList<List<Mask>>();
    for (JsonNode node : answer.path("masks")) {
      int prompt = node.path("prompt").asInt();
      while (found.size() <= prompt) {
        found.add(new ArrayList<>());
      }
      found.get(prompt).add(rle(node, picture).toMask(node.path("score").floatValue()));
    }
    if (multimask) {
      sortAsTheModelDoes(answer.path("masks"), found);
    }
    return found(answer, found);
  }

  /// The server has the best first.
  private static void sortAsTheModelDoes(JsonNode nodes, List<List<Mask>> found) {
    int next = 0;
    for (var masks : found) {
      var sorted = new Mask[masks.size()];
      for (Mask mask : masks) {
        sorted[nodes.get(next++).path("index").asInt()] = mask;
      }
      masks.clear();
      masks.addAll(List.of(sorted));
    }
  }

  @Override
  public Found<MaskAnnotation> findAll(Path file, Image picture, EverythingOptions how) {
    var body = RemoteServer.body();
    var everything = body.putObject("everything");
    how.given().forEach(everything::putPOJO);
    JsonNode answer = ask(file, body);
    var found = new ArrayList<MaskAnnotation>();
    for (JsonNode node : answer.path("masks")) {
      found.add(
          new MaskAnnotation(
              rle(node, picture),
              ints(node.path("bbox")),
              node.path("score").floatValue(),
              new double[] {
                node.at("/point_coords/0").doubleValue(), node.at("/point_coords/1").doubleValue()
              },
              node.path("stability_score").floatValue(),
              ints(node.path("crop_box"))));
    }
    return found(answer, found);
  }

  private JsonNode ask(Path file, ObjectNode body) {
    body.put("model", name).put("formats", "rle");
    body.put("image", RemoteServer.dataUrl(Texts.bytes(file)));
    JsonNode answer = server.ask("v1/segmentations", body);
    model = answer.path("model").asText();
    trainedOn = answer.path("trained_on").asText();
    return answer;
  }

  private static <M> Found<M> found(JsonNode answer, List<M> masks) {
    return new Found<>(
        masks,
        answer.path("encode_seconds").doubleValue(),
        answer.path("decode_seconds").doubleValue());
  }

  private static Rle rle(JsonNode node, Image picture) {
    return Rle.parse(node.at("/rle/counts").asText(), picture.width(), picture.height());
  }

  private static int[] ints(JsonNode list) {
    var all = new int[list.size()];
    for (int i = 0; i < all.length; i++) {
      all[i] = list.get(i).intValue();
    }
    return all;
  }

  @Override
  public void close() {
    server.close();
  }
}
