package io.gatun.tools.search;

import io.gatun.models.clip.CLIPModel;
import io.gatun.models.image.Image;
import io.gatun.search.ImageEmbedder;
import io.gatun.search.ImageIndex;
import io.gatun.search.ImageIndex.Picture;
import io.gatun.search.IndexReport;
import io.gatun.search.SearchException;
import io.gatun.tensor.ops.Backend;
import io.gatun.tools.console.Json;
import io.gatun.tools.options.ModelNames;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.ParameterException;

/// What `gatun search-images` has of the search's module.
final class SearchingImages {
  private static final int PARTLY = 2;

  private SearchingImages() {}

  static int run(SearchImages asked) {
    if (!Files.isDirectory(asked.folder)) {
      throw new IllegalArgumentException(asked.folder + ": there is no such folder of pictures");
    }
    Path folder = asked.index == null ? asked.folder.resolve(ImageIndex.FOLDER) : asked.index;
    try {
      String known = ImageIndex.embedderOf(folder);
      if (known.isEmpty() && asked.keep) {
        throw new IllegalArgumentException(
            folder + ": holds no index of pictures; leave out --no-update");
      }
      if (known.isEmpty() && asked.model == null) {
        throw new ParameterException(
            asked.spec.commandLine(),
            "--model PATH is missing: there is no index yet that knows one. A CLIP model, such as"
                + " openai/clip-vit-base-patch32");
      }
      // Before what takes long.
      var like = asked.like == null ? null : Image.read(asked.like);
      Path path = asked.model == null ? Path.of(known) : asked.model;
      try (var clip =
              CLIPModel.load(
                  ModelNames.find(asked.spec, path), Backend.NATIVE, asked.threads.count());
          var index = ImageIndex.open(folder, ImageEmbedder.of(clip, ModelNames.lasting(path)))) {
        var report = asked.keep ? null : update(asked, index);
        List<Picture> found =
            like != null
                ? index.search(like, asked.pictures)
                : asked.text == null ? null : index.search(asked.text, asked.pictures);
        print(asked, folder, index.size(), report, found);
        return report == null || report.failures().isEmpty() ? 0 : PARTLY;
      }
    } catch (SearchException e) {
      throw new IllegalArgumentException(e.getMessage(), e);
    }
  }

  private static IndexReport update(SearchImages asked, ImageIndex index) {
    var progress = new IndexProgress(asked.spec);
    try {
      return index.update(progress::show, asked.folder);
    } finally {
      progress.end();
    }
  }

  /// @param report null if nothing was looked for
  /// @param found null if nothing was asked for
  private static void print(
      SearchImages asked, Path folder, int size, IndexReport report, List<Picture> found) {
    var out = asked.spec.commandLine().getOut();
    var err = asked.spec.commandLine().getErr();
    if (report != null) {
      report.failures().forEach(failure -> err.println("gatun: not indexed: " + failure));
    }
    if (asked.json) {
      var map = new LinkedHashMap<String, Object>();
      map.put("index", folder.toString());
      map.put("pictures", size);
      if (report != null) {
        map.putAll(IndexProgress.fields(report));
      }
      if (found != null) {
        map.put("results", found.stream().map(SearchingImages::fields).toList());
      }
      out.println(Json.of(map));
    } else if (found != null) {
      found.forEach(picture -> out.printf("%.4f  %s%n", picture.similarity(), picture.file()));
    } else {
      out.printf(
          "%s: %,d pictures%n  %,d new or changed, %,d unchanged, %,d removed%n",
          folder, size, report.added(), report.unchanged(), report.removed());
    }
    out.flush();
  }

  private static Map<String, Object> fields(Picture picture) {
    var map = new LinkedHashMap<String, Object>();
    map.put("file", picture.file().toString());
    map.put("similarity", picture.similarity());
    return map;
  }
}
