/// Off-heap tensors and the operations on them.
module io.gatun.tensor {
  requires jdk.incubator.vector;
  requires org.slf4j;
  requires transitive io.gatun.ffm;

  exports io.gatun.tensor;
  exports io.gatun.tensor.ops;
  exports io.gatun.tensor.runtime;
  exports io.gatun.tensor.sequence;
}
