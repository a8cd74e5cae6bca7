// One instruction set's kernels. Compiled once per instruction set, ELMAN_ISA being its namespace and
// ELMAN_ISA_NAME its name.
#include "affine.h"
#include "readout.h"
#include "recurrent.h"
#include "tangents.h"
#include "update.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class Real> constexpr KernelTable<Real> make_table() {
  return {ELMAN_ISA_NAME,
          {recurrent_forward<Real, ElmanCell>, recurrent_forward<Real, LeakyCell>,
           recurrent_forward<Real, GruCell>, recurrent_forward<Real, GruBeforeCell>,
           recurrent_forward<Real, LstmCell>},
          {recurrent_backward<Real, ElmanCell>, recurrent_backward<Real, LeakyCell>,
           recurrent_backward<Real, GruCell>, recurrent_backward<Real, GruBeforeCell>,
           recurrent_backward<Real, LstmCell>},
          affine<Real>,
          activate<Real>,
          activate_backward<Real>,
          weight_gradient<Real>,
          bias_gradient<Real>,
          loss<Real>,
          pool_add<Real>,
          divide<Real>,
          max_backward<Real>,
          pack<Real>,
          pack_transposed<Real>,
          all_finite<Real>,
          add_scaled<Real>,
          into_bounds<Real>,
          drop_fixed<Real>,
          update<Real>,
          propagate<Real>,
          map<Real>,
          fma_loop<Real>,
          fma_chains * Vec<Real>::width};
}

}  // namespace

extern const KernelTable<float> table32;
extern const KernelTable<double> table64;
const KernelTable<float> table32 = make_table<float>();
const KernelTable<double> table64 = make_table<double>();

}  // namespace ELMAN_ISA
}  // namespace elman
