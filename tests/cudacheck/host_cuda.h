// CUDA's words for a C++ compiler, so that the very text of kernels/*.cu runs on a CPU.
//
//   (nothing)      a block's threads are fibers of one OS thread: fast, and in a fixed order
//   HOST_THREADS   each is a thread, and __syncthreads() a barrier: for ThreadSanitizer
//
// Shared memory is filled with 0xAA before each block, so what was never written shows. Threads of a block
// run in the order asked for; waiting at different barriers, or leaving before one, is an error. What is
// not defined here (warp shuffles, textures, printf) does not compile, and that is meant.
#pragma once
// C's headers where they do: C++'s take longer to read than a kernel takes to compile, and there are many kernels.
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <type_traits>
#include <utility>
#if defined(HOST_THREADS)
#include <barrier>
#include <thread>
#include <vector>
#else
#include <setjmp.h>
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
template <class T> static inline T __ldg(const T* at) { return *at; }
static inline float __uint_as_float(unsigned bits) { float value; memcpy(&value, &bits, 4); return value; }
template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }

namespace host {
struct Place { uint3 thread, block, threads, blocks; };
inline thread_local Place* place;   // of whichever CUDA thread runs now
inline thread_local char* shared;   // of its block
inline int order = 0;               // 0 forward, 1 backward, else the seed of a shuffle
inline char problem[256];           // the first that was seen
__attribute__((format(printf, 1, 2))) inline void report(const char* what, ...)
{
    va_list told;
    va_start(told, what);
    if (!problem[0]) vsnprintf(problem, sizeof problem, what, told);
    va_end(told);
}

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
// A fiber is entered for the first time by its context and from then on by jumps, which ask nothing of the system. It
// runs one block after the other. AddressSanitizer knows stacks by contexts only.
struct Fiber {
    ucontext_t context;
    jmp_buf jump;
    bool begun = false;
    char* stack = new char[STACK];
    Place place;
    int waits_at = 0;   // line of the barrier; 0 not begun or running, -1 left
    ~Fiber() { delete[] stack; }
};
inline ucontext_t scheduler;
inline jmp_buf back;
inline Fiber* current;
inline const Launch* launched;
inline const void* scheduler_stack;
inline size_t scheduler_size;

inline void leave()
{
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, scheduler_stack, scheduler_size);
    swapcontext(&current->context, &scheduler);
    __sanitizer_finish_switch_fiber(fake, &scheduler_stack, &scheduler_size);
#else
    if (!_setjmp(current->jump)) _longjmp(back, 1);
#endif
}
inline void enter(Fiber& fiber)
{
    current = &fiber;
    place = &fiber.place;
#if defined(__SANITIZE_ADDRESS__)
    void* fake = nullptr;
    __sanitizer_start_switch_fiber(&fake, fiber.stack, STACK);
    swapcontext(&scheduler, &fiber.context);
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#else
    if (_setjmp(back)) return;
    if (fiber.begun) _longjmp(fiber.jump, 1);
    fiber.begun = true;
    setcontext(&fiber.context);
#endif
}
inline void body()
{
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack, &scheduler_size);
#endif
    for (;;) {
        launched->call(launched->arguments);
        current->waits_at = -1;
        leave();
    }
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
    Fiber* fibers = new Fiber[count];
    unsigned* turns = new unsigned[count];
    for (unsigned t = 0; t < count; ++t) turns[t] = order == 1 ? count - 1 - t : t;
    unsigned dice = (unsigned)order;
    for (unsigned t = count - 1; order > 1 && t > 0; --t)
        std::swap(turns[t], turns[(dice = dice * 1664525u + 1013904223u) / 256 % (t + 1)]);
    for (unsigned t = 0; t < count; ++t) {
        Fiber& fiber = fibers[t];
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack;
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, body, 0);
    }
    for (unsigned b = 0; b < blocks; ++b) {
        room.spoil();
        for (unsigned t = 0; t < count; ++t) {
            fibers[t].place = {unravel(t, launch.threads), unravel(b, launch.blocks), launch.threads, launch.blocks};
            fibers[t].waits_at = 0;
        }
        for (bool more = true; more;) {
            int line = 0;
            unsigned left = 0;
            for (unsigned turn = 0; turn < count; ++turn) {
                const unsigned t = turns[turn];
                if (fibers[t].waits_at >= 0) enter(fibers[t]);
                const int at = fibers[t].waits_at;
                if (at < 0) { ++left; continue; }
                if (line && at != line)
                    report("threads of a block wait at lines %d and %d", line, at);
                line = at;
            }
            if (left && left < count)
                report("%u threads left before the barrier in line %d", left, line);
            more = left < count;
        }
    }
    delete[] turns;
    delete[] fibers;
}
#endif

// A kernel's parameters from pointers to them, as cuLaunchKernel takes them; the first of them; types in words.
template <auto kernel> struct Entry;
template <class... T, void (*kernel)(T...)> struct Entry<kernel> {
    template <size_t... i> static void go(void** a, std::index_sequence<i...>) { kernel(*(T*)a[i]...); }
    static void call(void** a) { go(a, std::index_sequence_for<T...>{}); }
};
template <class T> T taken(void (*)(T));
struct Words {
    char text[4096];
    void add(const char* form, ...)
    {
        va_list told;
        va_start(told, form);
        const size_t used = strlen(text);
        vsnprintf(text + used, sizeof text - used, form, told);
        va_end(told);
    }
};
template <class T> void tell(Words& words)
{
    if constexpr (std::is_pointer_v<T>) {
        using Pointed = std::remove_pointer_t<T>;
        words.add(std::is_const_v<Pointed> ? "*const:" : "*:");
        tell<std::remove_cv_t<Pointed>>(words);
    } else {
        static_assert(std::is_arithmetic_v<T>, "a field of the struct that Python does not take apart");
        words.add("%c%d", std::is_floating_point_v<T> ? 'f' : std::is_unsigned_v<T> ? 'u' : 'i', (int)sizeof(T));
    }
}
}  // namespace host

#define threadIdx (host::place->thread)
#define blockIdx (host::place->block)
#define blockDim (host::place->threads)
#define gridDim (host::place->blocks)
#define __syncthreads() host::sync(__LINE__)

#define HOST_EXPORT(kernel)                                                                                    \
    extern "C" const char* launch(const unsigned* b, const unsigned* t, unsigned shared_bytes, int order, void** a) \
    {                                                                                                          \
        host::problem[0] = 0;                                                                                  \
        host::order = order;                                                                                   \
        host::run({{b[0], b[1], b[2]}, {t[0], t[1], t[2]}, shared_bytes, &host::Entry<&kernel>::call, a});     \
        return host::problem;                                                                                  \
    }

// The size of a kernel's struct, and of each field its path, offset and type.
#define HOST_FIELD(kernel, path, field)                                                                        \
    words.add(" %s@%d@", path, (int)offsetof(decltype(host::taken(kernel)), field));                           \
    host::tell<decltype(((decltype(host::taken(kernel))*)nullptr)->field)>(words);
#define HOST_LAYOUT(kernel, fields)                                                                            \
    extern "C" const char* layout()                                                                            \
    {                                                                                                          \
        static host::Words words;                                                                              \
        words = {};                                                                                            \
        words.add("%d", (int)sizeof(decltype(host::taken(kernel))));                                           \
        fields return words.text;                                                                              \
    }
