package io.gatun.tests.tools;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.gatun.loaders.Checkpoint;
import io.gatun.models.image.Frames;
import io.gatun.models.image.Image;
import io.gatun.tests.Processes.Result;
import io.gatun.tests.TestData;
import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageTypeSpecifier;
import javax.imageio.metadata.IIOMetadataNode;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `gatun track` as a user types it, with a model of random weights.
class TrackCommandTest {
  private static final int SIDE = 128;

  @TempDir private Path temp;

  private Result track(String... args) {
    String[] all = Arrays.copyOf(new String[] {"track"}, 1 + args.length);
    System.arraycopy(args, 0, all, 1, args.length);
    return InProcess.gatun(all);
  }

  private static String model() {
    return TestData.shared("seg-random/sam20").toString();
  }

  /// The goldens' clip, whose names sort wrongly as texts.
  private Path clip() throws IOException {
    Path folder = Files.createDirectory(temp.resolve("clip"));
    try (var golden =
        Checkpoint.open(TestData.shared("seg-random/sam20/golden/video.safetensors"))) {
      var all = golden.tensor("frames_uint8_hwc");
      long size = 3L * SIDE * SIDE;
      for (int i = 0; i < all.dim(0); i++) {
        var pixels = Arena.ofAuto().allocate(size);
        MemorySegment.copy(all.segment(), i * size, pixels, 0, size);
        Image.of(SIDE, SIDE, 3, pixels).write(folder.resolve("f" + (i + 8) + ".png"));
      }
    }
    return folder;
  }

  @Test
  void aFolder() throws IOException {
    Path clip = clip();
    Path out = temp.resolve("masks");
    Path overlay = temp.resolve("overlay");
    Result result =
        track(
            "-m",
            model(),
            "--dtype",
            "f32",
            "--video",
            clip.toString(),
            "--point",
            "40,60",
            "--point",
            "2=90,30@2",
            "--point",
            "1=100,100:0@3",
            "--out",
            out.toString(),
            "--overlay",
            overlay.toString(),
            "--json");
    assertEquals(0, result.code(), result.err());
    var lines = result.out().strip().lines().toList();
    assertEquals(5, lines.size());
    var json = new ObjectMapper();
    for (int i = 0; i < lines.size(); i++) {
      var objects = json.readTree(lines.get(i)).get("objects");
      assertEquals(i < 2 ? 1 : 2, objects.size());
      var index = ImageIO.read(out.resolve("0000%d.png".formatted(i)).toFile());
      int first = 0;
      for (int p = 0; p < SIDE * SIDE; p++) {
        int number = index.getRaster().getSample(p % SIDE, p / SIDE, 0);
        assertTrue(number <= objects.size());
        first += number == 1 ? 1 : 0;
      }
      if (objects.size() == 1) {
        assertEquals(objects.get(0).get("area").asInt(), first);
      }
      assertTrue(Files.exists(overlay.resolve("0000%d.png".formatted(i))));
    }
  }

  /// Patches on the picture before, one of which is taken away again.
  @Test
  void aGif() throws IOException {
    Path gif = temp.resolve("clip.gif");
    var writer = ImageIO.getImageWritersByFormatName("gif").next();
    try (var to = ImageIO.createImageOutputStream(gif.toFile())) {
      writer.setOutput(to);
      writer.prepareWriteSequence(null);
      for (int i = 0; i < 4; i++) {
        int side = i == 0 ? 32 : 8;
        var picture = new BufferedImage(side, side, BufferedImage.TYPE_INT_RGB);
        var g = picture.createGraphics();
        g.setColor(new Color[] {Color.BLUE, Color.RED, Color.GREEN, Color.WHITE}[i]);
        g.fillRect(0, 0, side, side);
        var metadata =
            writer.getDefaultImageMetadata(
                ImageTypeSpecifier.createFromRenderedImage(picture), null);
        String format = metadata.getNativeMetadataFormatName();
        var root = (IIOMetadataNode) metadata.getAsTree(format);
        child(root, "ImageDescriptor").setAttribute("imageLeftPosition", "" + 8 * i);
        child(root, "GraphicControlExtension")
            .setAttribute("disposalMethod", i == 2 ? "restoreToPrevious" : "none");
        metadata.setFromTree(format, root);
        writer.writeToSequence(new IIOImage(picture, null, metadata), null);
      }
      writer.endWriteSequence();
    }
    try (var frames = Frames.open(gif, 10_000)) {
      assertEquals(4, frames.count());
      assertEquals("0000ff 0000ff 0000ff 0000ff", row(frames.next()));
      assertEquals("0000ff ff0000 0000ff 0000ff", row(frames.next()));
      assertEquals("0000ff ff0000 00ff00 0000ff", row(frames.next()));
      assertEquals("0000ff ff0000 0000ff ffffff", row(frames.next()));
    }
    Result result =
        track("-m", model(), "--video", gif.toString(), "--point", "4,4", "-o", temp + "/gif");
    assertEquals(0, result.code(), result.err());
    assertTrue(Files.exists(temp.resolve("gif/00003.png")));
  }

  private static IIOMetadataNode child(IIOMetadataNode root, String name) {
    return (IIOMetadataNode) root.getElementsByTagName(name).item(0);
  }

  /// A pixel of each quarter of the top row.
  private static String row(Image image) {
    var text = new StringBuilder();
    for (int x = 2; x < 32; x += 8) {
      text.append(
          "%02x%02x%02x ".formatted(image.get(x, 2, 0), image.get(x, 2, 1), image.get(x, 2, 2)));
    }
    return text.toString().strip();
  }

  @Test
  void refusals() throws IOException {
    String clip = clip().toString();
    Path mp4 = Files.write(temp.resolve("clip.mp4"), new byte[100]);
    refused(
        "ffmpeg -i " + mp4, "-m", model(), "--video", mp4.toString(), "--point", "1,1", "--json");
    refused("There is no frame 9", "-m", model(), "--video", clip, "--point", "1,1@9", "--json");
    refused("Say where to write", "-m", model(), "--video", clip, "--point", "1,1");
    refused("Nothing says what to follow", "-m", model(), "--video", clip, "--json");
    refused("has no images", "-m", model(), "--video", model(), "--point", "1,1", "--json");
    refused("outside the image", "-m", model(), "--video", clip, "--point", "500,1", "--json");
    String tiny = TestData.pretrained("tiny-sam").toString();
    refused("only SAM 2", "-m", tiny, "--video", clip, "--point", "1,1", "--json");
  }

  private void refused(String message, String... args) {
    Result result = track(args);
    assertEquals(2, result.code(), result.err());
    assertTrue(result.err().contains(message), result.err());
  }
}
