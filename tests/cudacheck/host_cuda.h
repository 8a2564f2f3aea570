// CUDA's words for a C++ compiler, so that the very text of kernels/*.cu runs on a CPU.
//
//   (nothing)      a block's threads are fibers of one OS thread: fast, and in a fixed order
//   HOST_THREADS   each is a thread, and __syncthreads() a barrier: for ThreadSanitizer
//
// Shared memory is filled with 0xAA before each block, so what was never written shows. Threads of a block
// run in the order asked for; waiting at different barriers, or leaving before one, is an error. What is
// not defined here (warp shuffles, textures, printf) does not compile, and that is meant.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>
#if defined(HOST_THREADS)
#include <barrier>
#include <thread>
#else
#include <ucontext.h>
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#define __global__
#define __device__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict

struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct uint3 { unsigned x, y, z; };
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }
static inline unsigned __float_as_uint(float value) { unsigned bits; memcpy(&bits, &value, 4); return bits; }
static inline float __uint_as_float(unsigned bits) { float value; memcpy(&value, &bits, 4); return value; }
template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }

namespace host {
struct Place { uint3 thread, block, threads, blocks; };
inline thread_local Place* place;   // of whichever CUDA thread runs now
inline thread_local char* shared;   // of its block
inline int order = 0;               // 0 forward, 1 backward, else the seed of a shuffle
inline std::string problem;
inline void report(const std::string& what) { if (problem.empty()) problem = what; }

struct Flush {   // CuPy always compiles with -ftz=true
#if defined(__SSE__)
    unsigned before = _mm_getcsr();
    Flush() { _mm_setcsr(before | 0x8040u); }
    ~Flush() { _mm_setcsr(before); }
#endif
};

struct Launch { uint3 blocks, threads; unsigned shared_bytes; void (*call)(void**); void** arguments; };
inline uint3 unravel(unsigned i, uint3 size) { return {i % size.x, i / size.x % size.y, i / size.x / size.y}; }

// Exactly as many bytes as asked for, ending where a sanitizer looks.
struct Shared {
    char* bytes;
    unsigned size;
    explicit Shared(unsigned size) : bytes((char*)aligned_alloc(16, (size + 15) / 16 * 16)), size(size) {}
    ~Shared() { free(bytes); }
    void spoil() { memset(bytes, 0xAA, size); }
};

#if defined(HOST_THREADS)
inline std::barrier<>* meeting;
inline void sync(int) { meeting->arrive_and_wait(); }
inline void run(const Launch& launch)
{
    const unsigned count = launch.threads.x * launch.threads.y * launch.threads.z;
    const unsigned blocks = launch.blocks.x * launch.blocks.y * launch.blocks.z;
    std::barrier<> barrier(count);
    meeting = &barrier;
    Shared room(launch.shared_bytes);
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < count; ++t)
        threads.emplace_back([&, t] {
            Flush flush;
            Place here{unravel(t, launch.threads), {}, launch.threads, launch.blocks};
            place = &here;
            shared = room.bytes;
            for (unsigned b = 0; b < blocks; ++b) {
                here.block = unravel(b, launch.blocks);
                if (t == 0) room.spoil();
                barrier.arrive_and_wait();
                launch.call(launch.arguments);
                barrier.arrive_and_wait();
            }
        });
    for (auto& thread : threads) thread.join();
}
#else
constexpr size_t STACK = 128 * 1024;
struct Fiber {
    ucontext_t context;
    std::unique_ptr<char[]> stack{new char[STACK]};
    Place place;
    int waits_at = 0;   // line of the barrier; 0 not begun or running, -1 left
};
inline ucontext_t scheduler;
inline Fiber* current;
inline const Launch* launched;
inline const void* scheduler_stack;
inline size_t scheduler_size;

inline void leave()
{
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(current->waits_at < 0 ? nullptr : &fake, scheduler_stack, scheduler_size);
#endif
    swapcontext(&current->context, &scheduler);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_size);
#endif
}
inline void enter(Fiber& fiber)
{
    current = &fiber;
    place = &fiber.place;
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, fiber.stack.get(), STACK);
#endif
    swapcontext(&scheduler, &fiber.context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
}
inline void body()
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
    launched->call(launched->arguments);
    current->waits_at = -1;
    leave();
}
inline void sync(int line)
{
    current->waits_at = line;
    leave();
}
inline void run(const Launch& launch)
{
    Flush flush;
    const unsigned count = launch.threads.x * launch.threads.y * launch.threads.z;
    const unsigned blocks = launch.blocks.x * launch.blocks.y * launch.blocks.z;
    launched = &launch;
    Shared room(launch.shared_bytes);
    shared = room.bytes;
    std::vector<Fiber> fibers(count);
    std::vector<unsigned> turns(count);
    for (unsigned t = 0; t < count; ++t) turns[t] = order == 1 ? count - 1 - t : t;
    unsigned dice = (unsigned)order;
    for (unsigned t = count - 1; order > 1 && t > 0; --t)
        std::swap(turns[t], turns[(dice = dice * 1664525u + 1013904223u) / 256 % (t + 1)]);
    for (unsigned b = 0; b < blocks; ++b) {
        room.spoil();
        for (unsigned t = 0; t < count; ++t) {
            Fiber& fiber = fibers[t];
            fiber.place = {unravel(t, launch.threads), unravel(b, launch.blocks), launch.threads, launch.blocks};
            fiber.waits_at = 0;
            getcontext(&fiber.context);
            fiber.context.uc_stack.ss_sp = fiber.stack.get();
            fiber.context.uc_stack.ss_size = STACK;
            fiber.context.uc_link = nullptr;
            makecontext(&fiber.context, body, 0);
        }
        for (bool more = true; more;) {
            int line = 0;
            unsigned left = 0;
            for (unsigned t : turns) {
                if (fibers[t].waits_at >= 0) enter(fibers[t]);
                const int at = fibers[t].waits_at;
                if (at < 0) { ++left; continue; }
                if (line && at != line)
                    report("threads of a block wait at lines " + std::to_string(line) + " and " + std::to_string(at));
                line = at;
            }
            if (left && left < count)
                report(std::to_string(left) + " threads left before the barrier in line " + std::to_string(line));
            more = left < count;
        }
    }
}
#endif

// A kernel's parameters from pointers to them, as cuLaunchKernel takes them, and their types in words.
template <class T> std::string word()
{
    if constexpr (std::is_pointer_v<T>) {
        using Pointed = std::remove_pointer_t<T>;
        return (std::is_const_v<Pointed> ? "*const:" : "*:") + word<std::remove_cv_t<Pointed>>();
    } else {
        return (std::is_floating_point_v<T> ? "f" : std::is_unsigned_v<T> ? "u" : "i") + std::to_string(sizeof(T));
    }
}
template <auto kernel> struct Entry;
template <class... T, void (*kernel)(T...)> struct Entry<kernel> {
    template <size_t... i> static void go(void** a, std::index_sequence<i...>) { kernel(*(T*)a[i]...); }
    static void call(void** a) { go(a, std::index_sequence_for<T...>{}); }
    static std::string signature() { std::string all; ((all += word<T>() + " "), ...); return all; }
};
}  // namespace host

#define threadIdx (host::place->thread)
#define blockIdx (host::place->block)
#define blockDim (host::place->threads)
#define gridDim (host::place->blocks)
#define __syncthreads() host::sync(__LINE__)

#define HOST_EXPORT(kernel)                                                                                    \
    extern "C" const char* signature() { static auto text = host::Entry<&kernel>::signature(); return text.c_str(); } \
    extern "C" const char* launch(const unsigned* b, const unsigned* t, unsigned shared_bytes, int order, void** a) \
    {                                                                                                          \
        host::problem.clear();                                                                                 \
        host::order = order;                                                                                   \
        host::run({{b[0], b[1], b[2]}, {t[0], t[1], t[2]}, shared_bytes, &host::Entry<&kernel>::call, a});     \
        return host::problem.c_str();                                                                          \
    }
