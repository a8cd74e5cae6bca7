// One instruction set's kernels. Compiled once per instruction set, ELMAN_ISA being its namespace and
// ELMAN_ISA_NAME its name.
#include "kernels/affine.h"
#include "kernels/readout.h"
#include "kernels/recurrent_backward.h"
#include "kernels/recurrent_forward.h"
#include "kernels/tangents.h"
#include "kernels/update.h"

namespace elman {
namespace ELMAN_ISA {
namespace {

template <class... Cells> constexpr bool as_enumerated() {
  constexpr Cell ids[] = {Cells::id...};
  for (int i = 0; i < cell_count; ++i)
    if (ids[i] != static_cast<Cell>(i)) return false;
  return sizeof...(Cells) == cell_count;
}

template <class Real, class... Cells> constexpr KernelTable<Real> make_table() {
  static_assert(as_enumerated<Cells...>());
  return {ELMAN_ISA_NAME,
          {recurrent_forward<Real, Cells>...},
          {recurrent_backward<Real, Cells>...},
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
const KernelTable<float> table32 =
    make_table<float, ElmanCell, LeakyCell, GruCell, GruBeforeCell, LstmCell>();
const KernelTable<double> table64 =
    make_table<double, ElmanCell, LeakyCell, GruCell, GruBeforeCell, LstmCell>();

}  // namespace ELMAN_ISA
}  // namespace elman
