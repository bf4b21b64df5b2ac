package io.gatun.models.sam.export;

import io.gatun.models.sam.Mask;

/// An object with a name.
public record LabelledMask(String label, Mask mask) {}
