// A network: its spec, its parameters, and the memory that small runs leave to each other.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "pass/pass.h"

namespace elman {

// What a forward run holds beside its results.
template <class Real> struct Workspace {
  explicit Workspace(const Spec& spec) : pass(spec) {}
  Batch all, batch;
  Chunk chunk;
  Weights<Real> weights;
  Pass<Real> pass;
};

template <class Real> class Network {
 public:
  Network(Index input_size, std::vector<Layer> layers) : spec(input_size, std::move(layers)) {
    parameters.zeros(spec.parameter_count);
  }
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;
  ~Network() { delete idle_.load(); }
  const Spec spec;
  Buffer<Real> parameters;  // [P]

  // A small run leaves its workspace to the next one, which would take as long to make it as for its own
  // work. Several threads may run at a time.
  std::unique_ptr<Workspace<Real>> workspace() const {
    std::unique_ptr<Workspace<Real>> idle(idle_.exchange(nullptr));
    return idle ? std::move(idle) : std::make_unique<Workspace<Real>>(spec);
  }
  void leave(std::unique_ptr<Workspace<Real>> used) const { delete idle_.exchange(used.release()); }

 private:
  mutable std::atomic<Workspace<Real>*> idle_{nullptr};
};

}  // namespace elman
