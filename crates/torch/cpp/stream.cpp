// Streams and events of a GPU through c10's virtual interface, which is in libc10: nothing here needs CUDA's library or
// headers.

#include "call.hpp"

#include <ATen/ops/empty.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <memory>

namespace {

c10::impl::VirtualGuardImpl cuda() { return c10::impl::VirtualGuardImpl(at::kCUDA); }

at::Device device(int gpu) { return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(gpu)); }

}  // namespace

extern "C" {

// A stream of a GPU beside the one in use.
char *abbe_stream_new(int gpu, c10::Stream **stream) {
  return message_of([&] { *stream = new c10::Stream(cuda().getStreamFromGlobalPool(device(gpu))); });
}

// Makes it this thread's stream of its GPU; `*stream` becomes the one that was.
char *abbe_stream_exchange(c10::Stream *stream) {
  return message_of([&] { *stream = cuda().exchangeStream(*stream); });
}

void abbe_stream_free(c10::Stream *stream) { delete stream; }

// An event after what this thread's stream was given.
char *abbe_event_record(int gpu, c10::Event **event) {
  return message_of([&] {
    auto made = std::make_unique<c10::Event>(at::kCUDA);
    made->record(cuda().getStream(device(gpu)));
    *event = made.release();
  });
}

// What this thread's stream is given from here on waits for the event.
char *abbe_event_block(int gpu, c10::Event *event) {
  return message_of([&] { event->block(cuda().getStream(device(gpu))); });
}

// Waits for the event.
char *abbe_event_wait(c10::Event *event) {
  return message_of([&] { event->synchronize(); });
}

void abbe_event_free(c10::Event *event) { delete event; }

// A new tensor like `like` in memory of the host that a GPU reads and writes by itself.
char *abbe_pinned(at::Tensor *like, at::Tensor **pinned) {
  return message_of([&] {
    auto options = like->options().device(at::kCPU).pinned_memory(true);
    *pinned = new at::Tensor(at::empty(like->sizes(), options));
  });
}

// Copies on this thread's stream, and does not wait where the host's side is such memory.
char *abbe_copy(at::Tensor *to, at::Tensor *from) {
  return message_of([&] { to->copy_(*from, /*non_blocking=*/true); });
}

}  // extern "C"
