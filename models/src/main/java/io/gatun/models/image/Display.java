package io.gatun.models.image;

import java.awt.AWTError;
import java.awt.GraphicsEnvironment;
import java.awt.HeadlessException;
import java.awt.Toolkit;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.swing.ImageIcon;
import javax.swing.JFrame;
import javax.swing.JLabel;
import javax.swing.SwingUtilities;

/// Shows pictures.
final class Display {
  private Display() {}

  /// Opens a window, or writes a PNG file where there is no display; says which.
  static String show(Image image) {
    if (!GraphicsEnvironment.isHeadless()) {
      try {
        var screen = Toolkit.getDefaultToolkit().getScreenSize();
        Image fitting = fit(image, screen.width * 9 / 10, screen.height * 8 / 10);
        SwingUtilities.invokeLater(() -> open(fitting, image.toString()));
        return image + " is shown in a window";
      } catch (HeadlessException | AWTError | LinkageError e) {
        // A display is announced that cannot be used: the file will do.
        return write(image);
      }
    }
    return write(image);
  }

  private static Image fit(Image image, int width, int height) {
    double scale =
        Math.min(1, Math.min((double) width / image.width(), (double) height / image.height()));
    return scale == 1
        ? image
        : image.resize(
            Math.max(1, (int) (image.width() * scale)),
            Math.max(1, (int) (image.height() * scale)));
  }

  private static void open(Image image, String title) {
    BufferedImage picture =
        OffHeapRaster.image(image.pixels(), image.width(), image.height(), image.channels());
    var frame = new JFrame("Gatun: " + title);
    frame.add(new JLabel(new ImageIcon(picture)));
    frame.setDefaultCloseOperation(JFrame.DISPOSE_ON_CLOSE);
    frame.pack();
    frame.setVisible(true);
  }

  private static String write(Image image) {
    try {
      Path file = Files.createTempFile("gatun-", ".png");
      image.write(file);
      return "no display; " + image + " is written to " + file;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
