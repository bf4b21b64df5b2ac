/// Finds, unpacks and loads the native libraries, offers typed calls into them, and knows where
/// files of the user's belong.
@SuppressWarnings("module") // the tensors' module is compiled after this one
module io.gatun.ffm {
  requires org.slf4j;

  exports io.gatun.ffm;
  exports io.gatun.ffm.files;
  exports io.gatun.ffm.raw to
      io.gatun.tensor;
}
