// NCCL as the backend of a process group, compiled where CUDA's headers are at hand. Its class is in libtorch_cuda, which is
// loaded only when a GPU is asked for, so constructors are looked up by their names in the C++ ABI, and nothing here makes
// the program need that library. All else about the objects goes through their virtual functions.

#include <dlfcn.h>

#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#include <torch/headeronly/version.h>

#include <chrono>

namespace {

using Options = c10d::ProcessGroupNCCL::Options;

constexpr const char *new_options = "_ZN4c10d16ProcessGroupNCCL7OptionsC1Eb";
constexpr const char *new_group =
    "_ZN4c10d16ProcessGroupNCCLC1EN3c1013intrusive_ptrINS_5StoreENS1_6detail34intrusive_target_default_null_typeIS3_EEEEii"
    "NS2_INS0_7OptionsENS5_IS8_EEEE";

// A new object by a constructor with exactly these types of arguments.
template <typename Class, typename... Arguments>
c10::intrusive_ptr<Class> construct(const char *constructor, Arguments... arguments) {
  auto library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD);
  auto symbol = library ? dlsym(library, constructor) : nullptr;
  TORCH_CHECK(symbol, "libtorch_cuda is not that of libtorch ", TORCH_VERSION, ": it has no ", constructor);
  auto memory = ::operator new(sizeof(Class));
  try {
    reinterpret_cast<void (*)(void *, Arguments...)>(symbol)(memory, arguments...);
  } catch (...) {
    ::operator delete(memory);
    throw;
  }
  return c10::intrusive_ptr<Class>::unsafe_steal_from_new(static_cast<Class *>(memory));
}

}  // namespace

c10::intrusive_ptr<c10d::Backend> abbe_nccl(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size,
                                            std::chrono::milliseconds limit) {
  auto options = construct<Options>(new_options, false);
  options->timeout = limit;
  return construct<c10d::ProcessGroupNCCL>(new_group, store, rank, size, options);
}
