#include "runtime/dispatch.h"

#include <cstdlib>
#include <stdexcept>

#if defined(_MSC_VER) && defined(_M_X64)
#include <intrin.h>
#endif

namespace elman {

// Which of these are built is the build's choice: all that its kind of processor may have, unless ELMAN_ISAS
// names some.
#define ELMAN_DECLARE(name)                 \
  namespace name {                          \
  extern const KernelTable<float> table32;  \
  extern const KernelTable<double> table64; \
  }
#define ELMAN_CHOICE(usable, name) all.push_back({usable, &name::table32, &name::table64});
ELMAN_DECLARE(x86_64_v2)
ELMAN_DECLARE(x86_64_v3)
ELMAN_DECLARE(x86_64_v4)
ELMAN_DECLARE(generic)

namespace {

struct Choice {
  bool usable;
  const KernelTable<float>* table32;
  const KernelTable<double>* table64;
};

#if defined(_MSC_VER) && defined(_M_X64)
bool has(int leaf, int index, int bit) {
  int r[4];
  __cpuidex(r, leaf, 0);
  return (r[index] >> bit) & 1;
}
bool saves(unsigned long long state) { return has(1, 2, 27) && (_xgetbv(0) & state) == state; }
[[maybe_unused]] bool has_v2() { return has(1, 2, 20); }
[[maybe_unused]] bool has_v3() {
  return has_v2() && saves(0x6) && has(1, 2, 12) && has(7, 1, 5) && has(7, 1, 3) && has(7, 1, 8);
}
[[maybe_unused]] bool has_v4() {
  return has_v3() && saves(0xe6) && has(7, 1, 16) && has(7, 1, 17) && has(7, 1, 28) && has(7, 1, 30) &&
         has(7, 1, 31);
}
#elif defined(__x86_64__)
[[maybe_unused]] bool has_v2() { return __builtin_cpu_supports("sse4.2"); }
[[maybe_unused]] bool has_v3() {
  return has_v2() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}
[[maybe_unused]] bool has_v4() {
  return has_v3() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd") &&
         __builtin_cpu_supports("avx512vl");
}
#endif

// The best first.
std::vector<Choice> choices() {
  std::vector<Choice> all;
#if defined(ELMAN_HAS_x86_64_v4)
  ELMAN_CHOICE(has_v4(), x86_64_v4)
#endif
#if defined(ELMAN_HAS_x86_64_v3)
  ELMAN_CHOICE(has_v3(), x86_64_v3)
#endif
#if defined(ELMAN_HAS_x86_64_v2)
  ELMAN_CHOICE(has_v2(), x86_64_v2)
#endif
#if defined(ELMAN_HAS_generic)
  ELMAN_CHOICE(true, generic)
#endif
  return all;
}

Choice choose() {
  const char* forced = std::getenv("ELMAN_ISA");
  std::string known;
  for (const Choice& c : choices()) {
    if (!forced || !*forced) {
      if (c.usable) return c;
      continue;
    }
    if (std::string(forced) == c.table32->name) {
      if (c.usable) return c;
      throw std::invalid_argument(std::string("ELMAN_ISA=") + forced + ": this machine cannot run it");
    }
    known += std::string(known.empty() ? "" : ", ") + c.table32->name;
  }
  if (forced && *forced)
    throw std::invalid_argument(std::string("ELMAN_ISA=") + forced + " is not one of " + known);
  throw std::invalid_argument("this machine has none of the instruction sets that elman was built for");
}

const Choice& chosen() {
  static const Choice c = choose();
  return c;
}

}  // namespace

std::vector<std::string> available_isas() {
  std::vector<std::string> names;
  for (const Choice& c : choices())
    if (c.usable) names.emplace_back(c.table32->name);
  return names;
}

const std::string& isa() {
  static const std::string name = chosen().table32->name;
  return name;
}

template <> const KernelTable<float>& kernels<float>() {
  static const KernelTable<float>& table = *chosen().table32;
  return table;
}
template <> const KernelTable<double>& kernels<double>() {
  static const KernelTable<double>& table = *chosen().table64;
  return table;
}

}  // namespace elman
