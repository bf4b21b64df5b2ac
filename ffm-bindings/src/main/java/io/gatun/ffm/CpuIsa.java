package io.gatun.ffm;

import io.gatun.ffm.onednn.Dnnl;

/// The instruction sets that oneDNN distinguishes, as it names them; a later one need not include
/// an earlier one, so ask for the features.
enum CpuIsa {
  DEFAULT(Dnnl.dnnl_cpu_isa_default()),
  SSE41(Dnnl.dnnl_cpu_isa_sse41()),
  AVX(Dnnl.dnnl_cpu_isa_avx()),
  AVX2(Dnnl.dnnl_cpu_isa_avx2()),
  AVX2_VNNI(Dnnl.dnnl_cpu_isa_avx2_vnni()),
  AVX2_VNNI_2(Dnnl.dnnl_cpu_isa_avx2_vnni_2()),
  AVX512_CORE(Dnnl.dnnl_cpu_isa_avx512_core()),
  AVX512_CORE_VNNI(Dnnl.dnnl_cpu_isa_avx512_core_vnni()),
  AVX512_CORE_BF16(Dnnl.dnnl_cpu_isa_avx512_core_bf16()),
  AVX512_CORE_FP16(Dnnl.dnnl_cpu_isa_avx512_core_fp16()),
  AVX512_CORE_AMX(Dnnl.dnnl_cpu_isa_avx512_core_amx()),
  AVX512_CORE_AMX_FP16(Dnnl.dnnl_cpu_isa_avx512_core_amx_fp16()),
  AVX10_2_512(Dnnl.dnnl_cpu_isa_avx10_2_512()),
  AVX10_2_512_AMX_2(Dnnl.dnnl_cpu_isa_avx10_2_512_amx_2());

  private final int bits;

  CpuIsa(int bits) {
    this.bits = bits;
  }

  /// What oneDNN generates code for on this machine; [#DEFAULT] where it does not say (Arm).
  static CpuIsa effective() {
    int bits = Dnnl.dnnl_get_effective_cpu_isa();
    for (CpuIsa isa : values()) {
      if (isa.bits == bits) {
        return isa;
      }
    }
    return DEFAULT;
  }

  /// Whether bf16 products have an instruction (dpbf16ps or a tile) of their own.
  boolean hasBf16() {
    return has(AVX512_CORE_BF16) || this == AVX2_VNNI_2;
  }

  /// Whether int8 products have an instruction (dpbusd or a tile) of their own.
  boolean hasInt8() {
    return has(AVX512_CORE_VNNI) || this == AVX2_VNNI || this == AVX2_VNNI_2;
  }

  /// Whether f16 products have an instruction (vfmadd...ph or a tile) of their own.
  boolean hasF16() {
    return has(AVX512_CORE_FP16);
  }

  private boolean has(CpuIsa other) {
    return this != DEFAULT && (bits & other.bits) == other.bits;
  }
}
