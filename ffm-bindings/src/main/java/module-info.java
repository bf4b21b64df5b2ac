/// Finds, unpacks and loads the native libraries, offers typed calls into them, and knows where
/// files of the user's belong.
module io.gatun.ffm {
  requires org.slf4j;

  exports io.gatun.ffm;
  exports io.gatun.ffm.files;
}
