// CUDA graphs. The class is in libtorch_cuda, which is loaded only when a GPU is asked for, so its functions are looked up
// by their names in the C++ ABI, and nothing here makes the program need that library, nor CUDA's headers. Streams are
// switched through c10's virtual interface, which is in libc10.

#include "call.hpp"

#include <ATen/Device.h>
#include <c10/core/Allocator.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/headeronly/version.h>

#include <memory>

#ifdef ABBE_NCCL
#include <ATen/cuda/CUDAGraph.h>
#endif

namespace {

// Where an at::cuda::CUDAGraph of about 200 bytes is made without knowing what is in it.
struct alignas(64) Memory {
  unsigned char bytes[4096];
};

// cudaStreamCaptureModeThreadLocal: what the threads of the batches ask of CUDA meanwhile does not concern the capture.
constexpr int this_thread = 1;

#ifdef ABBE_NCCL
static_assert(sizeof(at::cuda::CUDAGraph) <= sizeof(Memory) && alignof(at::cuda::CUDAGraph) <= alignof(Memory));
static_assert(sizeof(cudaStreamCaptureMode) == sizeof(int) && cudaStreamCaptureModeThreadLocal == this_thread);
#endif

template <typename... Arguments>
using Method = void (*)(Memory *, Arguments...);

template <typename... Arguments>
Method<Arguments...> method(const char *name) {
  auto library = dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_NOLOAD);
  TORCH_CHECK(library, "libtorch_cuda is not loaded");
  auto symbol = dlsym(library, name);
  dlclose(library);  // counted, so it stays loaded
  TORCH_CHECK(symbol, "libtorch_cuda is not that of libtorch ", TORCH_VERSION, ": it has no ", name);
  return reinterpret_cast<Method<Arguments...>>(symbol);
}

// The methods of at::cuda::CUDAGraph.
struct Methods {
  Method<bool> construct = method<bool>("_ZN2at4cuda9CUDAGraphC1Eb");
  Method<> destroy = method<>("_ZN2at4cuda9CUDAGraphD1Ev");
  Method<c10::MempoolId_t, int> begin =
      method<c10::MempoolId_t, int>("_ZN2at4cuda9CUDAGraph13capture_beginESt4pairIyyE21cudaStreamCaptureMode");
  Method<> end = method<>("_ZN2at4cuda9CUDAGraph11capture_endEv");
  Method<> replay = method<>("_ZN2at4cuda9CUDAGraph6replayEv");
};

struct Graph {
  Methods methods;
  Memory memory;

  Graph() { methods.construct(&memory, /*keep_graph=*/false); }
  ~Graph() { methods.destroy(&memory); }
  Graph(const Graph &) = delete;
};

// A stream beside the one in use, and what this thread goes back to.
struct Side {
  c10::impl::VirtualGuardImpl cuda{at::kCUDA};
  at::Device device;
  at::Device device_before;
  c10::Stream stream_before;
  bool gradients_before = c10::GradMode::is_enabled();

  explicit Side(at::Device device)
      : device(device), device_before(cuda.exchangeDevice(device)), stream_before(cuda.getStream(device)) {
    cuda.synchronizeDevice(device.index());
    cuda.exchangeStream(cuda.getStreamFromGlobalPool(device));
  }

  ~Side() {
    cuda.exchangeStream(stream_before);
    cuda.uncheckedSetDevice(device_before);
    c10::GradMode::set_enabled(gradients_before);
  }
};

}  // namespace

extern "C" {

// Whether the class is at hand.
char *abbe_graph_check() {
  return message_of([] { Methods(); });
}

// Waits for a GPU, then makes it and a stream beside the one in use those of this thread, up to abbe_side_leave.
char *abbe_side_enter(int gpu, Side **side) {
  return message_of([&] { *side = new Side(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu))); });
}

// Goes back to what was, also in whether gradients are recorded, which what was thrown in between may have left off.
char *abbe_side_leave(Side *side) {
  std::unique_ptr<Side> owned(side);
  return message_of([&] { owned->cuda.synchronizeDevice(owned->device.index()); });
}

// From here on this thread's stream notes what it is given instead of doing it, with memory that nothing else will have.
char *abbe_graph_begin(Graph **graph) {
  return message_of([&] {
    auto made = std::make_unique<Graph>();
    made->methods.begin(&made->memory, c10::MempoolId_t(0, 0), this_thread);
    *graph = made.release();
  });
}

char *abbe_graph_end(Graph *graph) {
  return message_of([&] { graph->methods.end(&graph->memory); });
}

// Does what was noted, on the stream that is in use.
char *abbe_graph_replay(Graph *graph) {
  return message_of([&] { graph->methods.replay(&graph->memory); });
}

void abbe_graph_free(Graph *graph) { delete graph; }

}  // extern "C"
