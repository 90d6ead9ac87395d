/// \file
/// Keeps the preload object out of the programs that this one starts (NUMAHEAP_NO_CHILDREN=1).

#pragma once

namespace numaheap::preload {

/// Takes this object out of LD_PRELOAD in the environment, in place; what else stands there stays. Called at load,
/// while there is one thread.
void leave_environment_to_children() noexcept;

}  // namespace numaheap::preload
