package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;

/// The element types that oneDNN's operations take here.
public enum ElementType {
  F32(4, Dnnl.dnnl_f32()),
  BF16(2, Dnnl.dnnl_bf16()),
  F16(2, Dnnl.dnnl_f16()),
  S32(4, Dnnl.dnnl_s32()),
  S8(1, Dnnl.dnnl_s8()),
  U8(1, Dnnl.dnnl_u8());

  private final int bytes;
  final int code;

  ElementType(int bytes, int code) {
    this.bytes = bytes;
    this.code = code;
  }

  /// The bytes of one element.
  public int bytes() {
    return bytes;
  }
}
