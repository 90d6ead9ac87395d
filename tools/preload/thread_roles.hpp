/// \file
/// Thread roles under preload: a thread's role follows from the name that it is given, and "default" is the role of
/// those that were given none.
///
/// The roles come resolved to masks in NUMAHEAP_ROLES (numaheap/numa/role_table.hpp). Without it nothing here does
/// more than call glibc's function. The name that the kernel keeps for a thread is the only state that is shared, so
/// there is no lock and no list of threads: see start_in_role() for why that is enough.

#pragma once

namespace numaheap::preload {

/// Reads the roles, sets the limits and spill orders of their nodes, and gives the calling thread its role by the
/// program's name. Called at load; a thread or a name that comes earlier has the roles read by itself.
void start_roles() noexcept;

}  // namespace numaheap::preload
