package io.gatun.tensor.ops;

import java.lang.foreign.MemorySegment;

/// A worker's part of the scratch memory: `memory` from byte `at` on.
record Scratch(MemorySegment memory, long at) {}
