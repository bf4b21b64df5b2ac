package io.gatun.tests.sam;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.networknt.schema.InputFormat;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import io.gatun.models.image.Image;
import io.gatun.models.sam.Mask;
import io.gatun.models.sam.coco.CocoFile;
import io.gatun.models.sam.export.AnnotationFormat;
import io.gatun.models.sam.export.ImageMasks;
import io.gatun.models.sam.export.IndexMask;
import io.gatun.models.sam.export.LabelledMask;
import io.gatun.tests.TestData;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Masks in the forms of annotation tools: drawn back, they are the masks.
class ExportTest {
  private static final int WIDTH = 90;
  private static final int HEIGHT = 60;
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path temp;

  /// Discs, some with holes, in several parts.
  private static Mask mask(long seed) {
    var random = new Random(seed);
    var pixels = Arena.ofAuto().allocate((long) WIDTH * HEIGHT);
    for (int disc = 0; disc < 4; disc++) {
      int x0 = random.nextInt(WIDTH);
      int y0 = random.nextInt(HEIGHT);
      int outer = random.nextInt(8, 20);
      int inner = random.nextInt(0, 6);
      for (int i = 0; i < WIDTH * HEIGHT; i++) {
        double distance = Math.hypot(i % WIDTH - x0, (double) (i / WIDTH) - y0);
        if (distance < outer) {
          pixels.set(ValueLayout.JAVA_BYTE, i, (byte) (distance < inner ? 0 : 255));
        }
      }
    }
    return Mask.of(Image.of(WIDTH, HEIGHT, 1, pixels));
  }

  private static ImageMasks image() {
    var objects = new ArrayList<LabelledMask>();
    for (int i = 0; i < 6; i++) {
      objects.add(new LabelledMask(i % 2 == 0 ? "dog" : "cat", mask(i)));
    }
    assertTrue(objects.stream().anyMatch(o -> o.mask().polygons().size() > 1));
    assertTrue(
        objects.stream()
            .flatMap(o -> o.mask().polygons().stream())
            .anyMatch(p -> !p.holes().isEmpty()));
    return new ImageMasks("a photo.jpg", WIDTH, HEIGHT, objects);
  }

  private static void same(Mask expected, List<double[]> rings) {
    double iou = Mask.ofPolygons(WIDTH, HEIGHT, rings).iou(expected);
    assertTrue(iou > 0.99, "IoU " + iou);
  }

  /// Also read as the evaluation reads COCO's files.
  @Test
  void coco() throws IOException {
    var image = image();
    var tree = JSON.valueToTree(AnnotationFormat.coco(List.of(image, image)));
    assertEquals(2, tree.get("images").size());
    assertEquals(12, tree.get("annotations").size());
    assertEquals("[\"cat\",\"dog\"]", names(tree.get("categories")));
    for (int i = 0; i < 12; i++) {
      JsonNode a = tree.get("annotations").get(i);
      Mask mask = image.objects().get(i % 6).mask();
      assertEquals(i + 1, a.get("id").asInt());
      assertEquals(i / 6 + 1, a.get("image_id").asInt());
      assertEquals(i % 2 == 0 ? 2 : 1, a.get("category_id").asInt());
      assertEquals(mask.area(), a.get("area").asInt());
      var rings = new ArrayList<double[]>();
      a.get("segmentation").forEach(ring -> rings.add(doubles(ring)));
      same(mask, rings);
    }
    Path file = temp.resolve("coco.json");
    Files.writeString(file, tree.toString());
    assertEquals(12, CocoFile.read(file).annotations().size());
  }

  /// Files of COCO and LabelMe are as their descriptions say, also where no model said how good
  /// masks are, and the schemas notice what is not.
  @Test
  void filesFitTheirSchemas() throws IOException {
    for (var image : List.of(image(), scored())) {
      fits("coco", JSON.valueToTree(AnnotationFormat.coco(List.of(image))), "/annotations/3");
      fits("labelme", JSON.valueToTree(AnnotationFormat.labelMe(image)), "/shapes/2");
    }
  }

  /// What models found, and so has scores.
  private static ImageMasks scored() {
    var objects =
        image().objects().stream()
            .map(o -> new LabelledMask(o.label(), o.mask().rle().toMask(0.9f)))
            .toList();
    return new ImageMasks("a photo.jpg", WIDTH, HEIGHT, objects);
  }

  private static void fits(String name, JsonNode file, String part) throws IOException {
    String text =
        Files.readString(
            TestData.ROOT.resolve("tests/src/test/resources/sam/" + name + ".schema.json"));
    var schema =
        SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12).getSchema(text);
    assertEquals(List.of(), schema.validate(file.toString(), InputFormat.JSON));
    ((ObjectNode) file.at(part)).put("unknown", 1);
    assertEquals(1, schema.validate(file.toString(), InputFormat.JSON).size());
  }

  private static String names(JsonNode categories) {
    var names = new ArrayList<String>();
    categories.forEach(c -> names.add("\"" + c.get("name").asText() + "\""));
    return names.toString().replace(" ", "");
  }

  private static double[] doubles(JsonNode list) {
    var values = new double[list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = list.get(i).asDouble();
    }
    return values;
  }

  @Test
  void yolo() {
    var image = image();
    var lines = AnnotationFormat.yolo(image, List.of("cat", "dog")).lines().toList();
    assertEquals(6, lines.size());
    for (int i = 0; i < 6; i++) {
      var numbers = List.of(lines.get(i).split(" ", -1));
      assertEquals(i % 2 == 0 ? "1" : "0", numbers.getFirst());
      var ring = new double[numbers.size() - 1];
      for (int n = 0; n < ring.length; n++) {
        double share = Double.parseDouble(numbers.get(n + 1));
        assertTrue(share >= 0 && share <= 1);
        ring[n] = share * (n % 2 == 0 ? WIDTH : HEIGHT);
      }
      same(image.objects().get(i).mask(), List.of(ring));
    }
  }

  @Test
  void labelMe() {
    var image = image();
    JsonNode tree = JSON.valueToTree(AnnotationFormat.labelMe(image));
    assertEquals("a photo.jpg", tree.get("imagePath").asText());
    assertEquals(HEIGHT, tree.get("imageHeight").asInt());
    assertTrue(tree.get("imageData").isNull());
    int next = 0;
    for (var object : image.objects()) {
      var rings = new ArrayList<double[]>();
      for (int part = 0; part < object.mask().polygons().size(); part++) {
        JsonNode shape = tree.get("shapes").get(next++);
        assertEquals("polygon", shape.get("shape_type").asText());
        assertEquals(object.label(), shape.get("label").asText());
        assertEquals(object.mask().polygons().size() == 1, shape.get("group_id").isNull());
        rings.add(points(shape.get("points")));
      }
      same(object.mask(), rings);
    }
    assertEquals(next, tree.get("shapes").size());
  }

  private static double[] points(JsonNode list) {
    var values = new double[2 * list.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = list.get(i / 2).get(i % 2).asDouble();
    }
    return values;
  }

  /// Outer rings minus holes; rings are closed.
  @Test
  void geoJson() {
    var image = image();
    JsonNode tree = JSON.valueToTree(AnnotationFormat.geoJson(image));
    assertEquals("FeatureCollection", tree.get("type").asText());
    for (int i = 0; i < 6; i++) {
      JsonNode geometry = tree.get("features").get(i).get("geometry");
      boolean one = geometry.get("type").asText().equals("Polygon");
      var parts =
          one ? List.of(geometry.get("coordinates")) : children(geometry.get("coordinates"));
      Mask mask = image.objects().get(i).mask();
      assertEquals(mask.polygons().size(), parts.size());
      int area = 0;
      for (JsonNode part : parts) {
        for (int r = 0; r < part.size(); r++) {
          double[] ring = points(part.get(r));
          assertEquals(ring[0], ring[ring.length - 2]);
          assertEquals(ring[1], ring[ring.length - 1]);
          int inside = Mask.ofPolygons(WIDTH, HEIGHT, List.of(ring)).area();
          area += r == 0 ? inside : -inside;
        }
      }
      assertEquals(mask.area(), area);
    }
  }

  private static List<JsonNode> children(JsonNode list) {
    var all = new ArrayList<JsonNode>();
    list.forEach(all::add);
    return all;
  }

  @Test
  void indexMasks() throws IOException {
    Mask large = mask(1);
    Mask small = mask(2);
    Path file = temp.resolve("index.png");
    IndexMask.of(WIDTH, HEIGHT, List.of(small, large)).write(file);
    var image = ImageIO.read(file.toFile());
    var top =
        small.area() <= large.area() ? Map.of(1, small, 2, large) : Map.of(2, large, 1, small);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
      int x = i % WIDTH;
      int y = i / WIDTH;
      int number = image.getRaster().getSample(x, y, 0);
      boolean any = small.get(x, y) || large.get(x, y);
      assertEquals(any, number > 0);
      assertTrue(number == 0 || top.get(number).get(x, y));
    }
    // Pascal VOC's first colours.
    assertEquals(0x800000, image.getColorModel().getRGB(1) & 0xFFFFFF);
    assertEquals(0x008000, image.getColorModel().getRGB(2) & 0xFFFFFF);
    assertEquals(0x808000, image.getColorModel().getRGB(3) & 0xFFFFFF);
  }
}
