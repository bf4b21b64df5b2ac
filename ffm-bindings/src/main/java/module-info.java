/// Finds, unpacks and loads the native libraries, and offers typed calls into them.
@SuppressWarnings("module") // the tensors' module is compiled after this one
module io.gatun.ffm {
  requires org.slf4j;

  exports io.gatun.ffm;
  exports io.gatun.ffm.raw to
      io.gatun.tensor;
}
