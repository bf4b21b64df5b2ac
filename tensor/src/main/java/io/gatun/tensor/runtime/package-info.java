/// What computing takes, each owned by one thread at a time.
///
/// | to change | see |
/// |---|---|
/// | who may call when, and what closing waits for | [Owner][io.gatun.tensor.runtime.Owner] |
/// | threads | [Workers][io.gatun.tensor.runtime.Workers], [PhysicalCores][io.gatun.tensor.runtime.PhysicalCores] |
/// | memory of a step | [Workspace][io.gatun.tensor.runtime.Workspace] |
package io.gatun.tensor.runtime;
