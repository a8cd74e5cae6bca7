// Which instruction set's kernels run: decided once, when the library is loaded.
#pragma once

#include <string>
#include <vector>

#include "kernels/table.h"

namespace elman {

// Names of what this machine can run, best first.
std::vector<std::string> available_isas();

// The one in use: the best, or the one that the environment variable ELMAN_ISA names. Throws
// std::invalid_argument for a name that is unknown or that this machine cannot run.
const std::string& isa();

template <class Real> const KernelTable<Real>& kernels();

}  // namespace elman
