/* NF4 matrices on the CPU: 4-bit codes to numbers, and times a few rows without a copy in between.

   Plain C, called through ctypes by nf4.py, which says what is stored how. Each instruction set
   gives three functions (constants of blocks, codes to numbers, dot products); everything else is
   shared. Numbers out of codes are the same bits on every path: a table value times its block's
   constant in fp32, rounded to nearest even for bf16. Products must not be fused with sums
   (-ffp-contract=off), since bitsandbytes rounds between them. */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define NF4_X86 1
#include <immintrin.h>
#elif defined(__aarch64__)
#define NF4_NEON 1
#include <arm_neon.h>
#endif

#if defined(NF4_X86) && defined(__linux__)
#define CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define CLONES
#endif
#define EXPORT __attribute__((visibility("default")))
#define ABI 4              /* counts changes of what stands under EXPORT */
#define BLOCK 64           /* weights per constant */
#define NESTED_BLOCK 256   /* constants per constant of the second quantization */
#define CHUNK 4096         /* weights decoded at a time: their numbers stay in L1 */
#define MOST_ROWS 16       /* of x in one call of nf4_matmul */
#define LANES 16           /* partial sums of a dot product, on every path */
#define MOST_RANK 128      /* of an adapter in nf4_matmul */
#define KEYS 128           /* of a row that attention takes at a time; a page has as many */
#define MOST_SIZE 256      /* of a head in nf4_attend */
#define AHEAD 2048         /* bytes of codes prefetched before they are needed */
#define FAR_AHEAD 65536    /* bytes of codes fetched into the second cache, where the first has
                              other things to keep: a half more from memory on two cores */
#define AT_ONCE 2          /* features that nf4_matmul takes together, where a path can */
#define DENSE_FEATURES 4   /* likewise nf4_dense */
#define RING (16 * NESTED_BLOCK) /* constants at hand, of blocks one after the other */
#define ALONE (1 << 16)    /* multiplications below which a second thread is not worth it */
#define STREAM_BYTES (8u << 20) /* results larger than this bypass the caches */

typedef struct {
    const uint8_t *codes;   /* two a byte, the first in the high bits */
    const float *values;    /* (16) what the codes stand for */
    const float *absmax;    /* constants of blocks, or NULL where they are quantised: */
    const uint8_t *absmax8; /*   one code per block, */
    const float *nested_values; /* (256) what these stand for, */
    const float *nested_absmax; /* the scale of 256 of them, */
    float nested_offset;    /*   and what is added to each */
} nf4_weights;

/* Constants by number of their block. */
typedef struct {
    const float *plain;    /* as they are, or NULL where they are quantised: */
    const uint8_t *codes8; /*   one code per block, */
    const float *ring;     /*   what the codes stand for, for as many of the blocks as are needed */
} block_constants;

/* A LoRA adapter beside the matrix. */
typedef struct {
    const void *a; /* (rank, in_features) of x's dtype */
    const float *b; /* (out_features, padded) scaled, zeros behind the rank */
    int rank, padded; /* padded: the rank up to a multiple of LANES, at most MOST_RANK */
} nf4_adapter;

enum { BF16 = 0, FP32 = 1 };

/* ---------------------------------------------------------------------------- portable C */

static uint16_t to_bf16(float number) {
    uint32_t bits;
    memcpy(&bits, &number, 4);
    return (uint16_t)((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

static float from_bf16(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float number;
    memcpy(&number, &bits, 4);
    return number;
}

/* The constants of `count` blocks from block `first` on. */
static void constants_c(const nf4_weights *w, int64_t first, int64_t count, float *out) {
    if (w->absmax) {
        memcpy(out, w->absmax + first, (size_t)count * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        float scaled = w->nested_values[w->absmax8[first + i]]
                       * w->nested_absmax[(first + i) / NESTED_BLOCK];
        out[i] = scaled + w->nested_offset;
    }
}

static void decode_bf16_c(const uint8_t *codes, const float *values, const float *constants,
                          int64_t count, uint16_t *out, int stream) {
    (void)stream;
    for (int64_t at = 0; at < count; at += BLOCK) {
        uint16_t table[16];
        for (int i = 0; i < 16; i++) table[i] = to_bf16(values[i] * constants[at / BLOCK]);
        int64_t end = count - at < BLOCK ? count - at : BLOCK;
        for (int64_t i = 0; i < end; i++) {
            uint8_t pair = codes[(at + i) / 2];
            out[at + i] = table[(i & 1) ? pair & 15 : pair >> 4];
        }
    }
}

static void decode_fp32_c(const uint8_t *codes, const float *values, const float *constants,
                          int64_t count, float *out, int stream) {
    (void)stream;
    for (int64_t at = 0; at < count; at += BLOCK) {
        float table[16];
        for (int i = 0; i < 16; i++) table[i] = values[i] * constants[at / BLOCK];
        int64_t end = count - at < BLOCK ? count - at : BLOCK;
        for (int64_t i = 0; i < end; i++) {
            uint8_t pair = codes[(at + i) / 2];
            out[at + i] = table[(i & 1) ? pair & 15 : pair >> 4];
        }
    }
}

/* Dot products of `count` weights (a multiple of BLOCK) with each of `rows` rows of x, `stride`
   apart, added to LANES partial sums per row. No row's sums depend on the others. */
static void dot_bf16_c(const uint16_t *weights, const uint16_t *x, int64_t stride, int rows,
                       int64_t count, float *sums) {
    for (int row = 0; row < rows; row++)
        for (int64_t i = 0; i < count; i++)
            sums[row * LANES + i % LANES]
                += from_bf16(weights[i]) * from_bf16(x[row * stride + i]);
}

static void dot_fp32_c(const float *weights, const float *x, int64_t stride, int rows,
                       int64_t count, float *sums) {
    for (int row = 0; row < rows; row++)
        for (int64_t i = 0; i < count; i++)
            sums[row * LANES + i % LANES] += weights[i] * x[row * stride + i];
}

/* ---------------------------------------------------------------------------- AVX2 */

#ifdef NF4_X86
#define AVX2 __attribute__((target("avx2,fma")))

AVX2 static void constants_avx2(const nf4_weights *w, int64_t first, int64_t count, float *out) {
    int64_t i = 0;
    if (!w->absmax)
        for (; i + 8 <= count; i += 8) {
            if ((first + i) % NESTED_BLOCK > NESTED_BLOCK - 8) { /* two scales: one by one */
                constants_c(w, first + i, 8, out + i);
                continue;
            }
            __m128i codes = _mm_loadl_epi64((const __m128i *)(w->absmax8 + first + i));
            __m256 number = _mm256_i32gather_ps(w->nested_values, _mm256_cvtepu8_epi32(codes), 4);
            __m256 scale = _mm256_set1_ps(w->nested_absmax[(first + i) / NESTED_BLOCK]);
            __m256 scaled = _mm256_mul_ps(number, scale);
            _mm256_storeu_ps(out + i, _mm256_add_ps(scaled, _mm256_set1_ps(w->nested_offset)));
        }
    constants_c(w, first + i, count - i, out + i);
}

/* The high halves of fp32 numbers rounded to bf16, as the low bytes and the high bytes of 16. */
AVX2 static __m256i rounded_avx2(__m256 numbers) {
    __m256i bits = _mm256_castps_si256(numbers);
    __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i half = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF));
    return _mm256_srli_epi32(_mm256_add_epi32(bits, half), 16);
}

AVX2 static void decode_bf16_avx2(const uint8_t *codes, const float *values,
                                  const float *constants, int64_t count, uint16_t *out,
                                  int stream) {
    int64_t whole = count - count % BLOCK;
    __m256 first = _mm256_loadu_ps(values), last = _mm256_loadu_ps(values + 8);
    __m128i nibble = _mm_set1_epi8(15), low_byte = _mm_set1_epi16(255);
    for (int64_t at = 0; at < whole; at += BLOCK) {
        __m256 constant = _mm256_set1_ps(constants[at / BLOCK]);
        __m256i a = rounded_avx2(_mm256_mul_ps(first, constant));
        __m256i b = rounded_avx2(_mm256_mul_ps(last, constant));
        __m256i words = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xD8);
        __m128i w0 = _mm256_castsi256_si128(words), w1 = _mm256_extracti128_si256(words, 1);
        __m128i low = _mm_packus_epi16(_mm_and_si128(w0, low_byte), _mm_and_si128(w1, low_byte));
        __m128i high = _mm_packus_epi16(_mm_srli_epi16(w0, 8), _mm_srli_epi16(w1, 8));
        const uint8_t *from = codes + at / 2;
        _mm_prefetch((const char *)(from + AHEAD), _MM_HINT_T0);
        for (int part = 0; part < 2; part++) {
            __m128i pairs = _mm_loadu_si128((const __m128i *)(from + 16 * part));
            __m128i even = _mm_and_si128(_mm_srli_epi16(pairs, 4), nibble);
            __m128i odd = _mm_and_si128(pairs, nibble);
            __m128i index0 = _mm_unpacklo_epi8(even, odd), index1 = _mm_unpackhi_epi8(even, odd);
            __m128i *to = (__m128i *)(out + at + 32 * part);
            for (int half = 0; half < 2; half++) {
                __m128i index = half ? index1 : index0;
                __m128i lows = _mm_shuffle_epi8(low, index), highs = _mm_shuffle_epi8(high, index);
                __m128i r0 = _mm_unpacklo_epi8(lows, highs), r1 = _mm_unpackhi_epi8(lows, highs);
                if (stream) {
                    _mm_stream_si128(to + 2 * half, r0);
                    _mm_stream_si128(to + 2 * half + 1, r1);
                } else {
                    _mm_storeu_si128(to + 2 * half, r0);
                    _mm_storeu_si128(to + 2 * half + 1, r1);
                }
            }
        }
    }
    if (stream) _mm_sfence();
    decode_bf16_c(codes + whole / 2, values, constants + whole / BLOCK, count - whole, out + whole,
                  0);
}

AVX2 static void decode_fp32_avx2(const uint8_t *codes, const float *values,
                                  const float *constants, int64_t count, float *out, int stream) {
    int64_t whole = count - count % BLOCK;
    __m256 first = _mm256_loadu_ps(values), last = _mm256_loadu_ps(values + 8);
    for (int64_t at = 0; at < whole; at += BLOCK) {
        __m256 constant = _mm256_set1_ps(constants[at / BLOCK]);
        __m256 a = _mm256_mul_ps(first, constant), b = _mm256_mul_ps(last, constant);
        for (int64_t i = at; i < at + BLOCK; i += 8) {
            int32_t four;
            memcpy(&four, codes + i / 2, 4);
            /* bytes to dwords, high nibble first: the nibbles of 4 bytes in the order 1 0 3 2 ... */
            __m256i nibbles = _mm256_srlv_epi32(_mm256_set1_epi32(four),
                                                _mm256_setr_epi32(4, 0, 12, 8, 20, 16, 28, 24));
            __m256i upper = _mm256_slli_epi32(nibbles, 28); /* bit 3 becomes the sign */
            __m256 found = _mm256_blendv_ps(_mm256_permutevar8x32_ps(a, nibbles),
                                            _mm256_permutevar8x32_ps(b, nibbles),
                                            _mm256_castsi256_ps(upper));
            if (stream) _mm256_stream_ps(out + i, found);
            else _mm256_storeu_ps(out + i, found);
        }
    }
    if (stream) _mm_sfence();
    decode_fp32_c(codes + whole / 2, values, constants + whole / BLOCK, count - whole, out + whole,
                  0);
}

AVX2 static void dot_bf16_avx2(const uint16_t *weights, const uint16_t *x, int64_t stride,
                               int rows, int64_t count, float *sums) {
    __m256i high = _mm256_set1_epi32((int)0xFFFF0000u);
    for (int row = 0; row < rows; row++) {
        const uint16_t *of_row = x + row * stride;
        __m256 even = _mm256_loadu_ps(sums + row * LANES);
        __m256 odd = _mm256_loadu_ps(sums + row * LANES + 8);
        for (int64_t i = 0; i < count; i += 16) {
            __m256i w = _mm256_loadu_si256((const __m256i *)(weights + i));
            __m256i v = _mm256_loadu_si256((const __m256i *)(of_row + i));
            even = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_slli_epi32(w, 16)),
                                   _mm256_castsi256_ps(_mm256_slli_epi32(v, 16)), even);
            odd = _mm256_fmadd_ps(_mm256_castsi256_ps(_mm256_and_si256(w, high)),
                                  _mm256_castsi256_ps(_mm256_and_si256(v, high)), odd);
        }
        _mm256_storeu_ps(sums + row * LANES, even);
        _mm256_storeu_ps(sums + row * LANES + 8, odd);
    }
}

AVX2 static void dot_fp32_avx2(const float *weights, const float *x, int64_t stride, int rows,
                               int64_t count, float *sums) {
    for (int row = 0; row < rows; row++) {
        const float *of_row = x + row * stride;
        __m256 a = _mm256_loadu_ps(sums + row * LANES);
        __m256 b = _mm256_loadu_ps(sums + row * LANES + 8);
        for (int64_t i = 0; i < count; i += 16) {
            a = _mm256_fmadd_ps(_mm256_loadu_ps(weights + i), _mm256_loadu_ps(of_row + i), a);
            b = _mm256_fmadd_ps(_mm256_loadu_ps(weights + i + 8), _mm256_loadu_ps(of_row + i + 8),
                                b);
        }
        _mm256_storeu_ps(sums + row * LANES, a);
        _mm256_storeu_ps(sums + row * LANES + 8, b);
    }
}

/* ---------------------------------------------------------------------------- AVX-512 */

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))
#define AVX512BF16 \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")))

AVX512 static void constants_avx512(const nf4_weights *w, int64_t first, int64_t count,
                                    float *out) {
    int64_t i = 0;
    if (!w->absmax)
        for (; i + 16 <= count; i += 16) {
            if ((first + i) % NESTED_BLOCK > NESTED_BLOCK - 16) {
                constants_avx2(w, first + i, 16, out + i);
                continue;
            }
            __m128i codes = _mm_loadu_si128((const __m128i *)(w->absmax8 + first + i));
            __m512 number = _mm512_i32gather_ps(_mm512_cvtepu8_epi32(codes), w->nested_values, 4);
            __m512 scale = _mm512_set1_ps(w->nested_absmax[(first + i) / NESTED_BLOCK]);
            __m512 scaled = _mm512_mul_ps(number, scale);
            _mm512_storeu_ps(out + i, _mm512_add_ps(scaled, _mm512_set1_ps(w->nested_offset)));
        }
    constants_avx2(w, first + i, count - i, out + i);
}

AVX512 static void decode_bf16_avx512(const uint8_t *codes, const float *values,
                                      const float *constants, int64_t count, uint16_t *out,
                                      int stream) {
    int64_t whole = count - count % BLOCK;
    __m512 numbers = _mm512_loadu_ps(values);
    __m512i one = _mm512_set1_epi32(1), half = _mm512_set1_epi32(0x7FFF);
    for (int64_t at = 0; at < whole; at += BLOCK) {
        __m512 scaled = _mm512_mul_ps(numbers, _mm512_set1_ps(constants[at / BLOCK]));
        __m512i bits = _mm512_castps_si512(scaled);
        __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), one);
        __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, half)),
                                            16);
        /* twice the same 16 words: the fifth bit of an index then does not matter */
        __m512i table = _mm512_broadcast_i64x4(_mm512_cvtepi32_epi16(rounded));
        const uint8_t *from = codes + at / 2;
        _mm_prefetch((const char *)(from + AHEAD), _MM_HINT_T0);
        for (int part = 0; part < 2; part++) {
            __m128i pairs = _mm_loadu_si128((const __m128i *)(from + 16 * part));
            __m512i wide = _mm512_cvtepu8_epi32(pairs);
            __m512i index = _mm512_or_si512(_mm512_srli_epi32(wide, 4),
                                            _mm512_slli_epi32(wide, 16));
            __m512i found = _mm512_permutexvar_epi16(index, table);
            __m512i *to = (__m512i *)(out + at + 32 * part);
            if (stream) _mm512_stream_si512(to, found);
            else _mm512_storeu_si512(to, found);
        }
    }
    if (stream) _mm_sfence();
    decode_bf16_c(codes + whole / 2, values, constants + whole / BLOCK, count - whole, out + whole,
                  0);
}

AVX512 static void decode_fp32_avx512(const uint8_t *codes, const float *values,
                                      const float *constants, int64_t count, float *out,
                                      int stream) {
    int64_t whole = count - count % BLOCK;
    __m512 numbers = _mm512_loadu_ps(values);
    __m512i shifts = _mm512_set1_epi64((4ll << 0) | (0ll << 32));
    for (int64_t at = 0; at < whole; at += BLOCK) {
        __m512 table = _mm512_mul_ps(numbers, _mm512_set1_ps(constants[at / BLOCK]));
        for (int64_t i = at; i < at + BLOCK; i += 16) {
            int64_t eight;
            memcpy(&eight, codes + i / 2, 8);
            __m512i wide = _mm512_cvtepu8_epi64(_mm_cvtsi64_si128(eight)); /* a byte a qword */
            __m512i both = _mm512_or_si512(wide, _mm512_slli_epi64(wide, 32));
            __m512i index = _mm512_srlv_epi32(both, shifts); /* only four bits of it count */
            __m512 found = _mm512_permutexvar_ps(index, table);
            if (stream) _mm512_stream_ps(out + i, found);
            else _mm512_storeu_ps(out + i, found);
        }
    }
    if (stream) _mm_sfence();
    decode_fp32_c(codes + whole / 2, values, constants + whole / BLOCK, count - whole, out + whole,
                  0);
}

AVX512 static void dot_fp32_avx512(const float *weights, const float *x, int64_t stride, int rows,
                                   int64_t count, float *sums) {
    for (int row = 0; row < rows; row++) {
        const float *of_row = x + row * stride;
        __m512 sum = _mm512_loadu_ps(sums + row * LANES);
        for (int64_t i = 0; i < count; i += 16)
            sum = _mm512_fmadd_ps(_mm512_loadu_ps(weights + i), _mm512_loadu_ps(of_row + i), sum);
        _mm512_storeu_ps(sums + row * LANES, sum);
    }
}

/* bf16 without instructions for it: even and odd places are widened to fp32. Two sums, joined at
   the end of a chunk, so that an addition need not wait for the one before. */
AVX512 static void dot_bf16_avx512(const uint16_t *weights, const uint16_t *x, int64_t stride,
                                   int rows, int64_t count, float *sums) {
    __m512i high = _mm512_set1_epi32((int)0xFFFF0000u);
    for (int row = 0; row < rows; row++) {
        const uint16_t *of_row = x + row * stride;
        __m512 even = _mm512_loadu_ps(sums + row * LANES), odd = _mm512_setzero_ps();
        for (int64_t i = 0; i < count; i += 32) {
            __m512i w = _mm512_loadu_si512(weights + i), v = _mm512_loadu_si512(of_row + i);
            even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(w, 16)),
                                   _mm512_castsi512_ps(_mm512_slli_epi32(v, 16)), even);
            odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(w, high)),
                                  _mm512_castsi512_ps(_mm512_and_si512(v, high)), odd);
        }
        _mm512_storeu_ps(sums + row * LANES, _mm512_add_ps(even, odd));
    }
}

/* With instructions for bf16: four rows at a time share what is loaded of the weights. Two sums of
   each, in turns of 32 numbers, whatever rows are taken together. */
#define DOT(ROWS)                                                                              \
    AVX512BF16 static void dot_bf16_of##ROWS(const uint16_t *weights, const uint16_t *x,       \
                                             int64_t stride, int64_t count, float *sums) {     \
        __m512 even[ROWS], odd[ROWS];                                                          \
        int64_t i = 0;                                                                         \
        UNROLLED for (int r = 0; r < ROWS; r++)                                                \
            even[r] = _mm512_loadu_ps(sums + r * LANES), odd[r] = _mm512_setzero_ps();         \
        for (; i + 64 <= count; i += 64) {                                                     \
            __m512bh w0 = (__m512bh)_mm512_loadu_si512(weights + i);                           \
            __m512bh w1 = (__m512bh)_mm512_loadu_si512(weights + i + 32);                      \
            UNROLLED for (int r = 0; r < ROWS; r++) {                                          \
                __m512bh v0 = (__m512bh)_mm512_loadu_si512(x + r * stride + i);                \
                __m512bh v1 = (__m512bh)_mm512_loadu_si512(x + r * stride + i + 32);           \
                even[r] = _mm512_dpbf16_ps(even[r], w0, v0);                                   \
                odd[r] = _mm512_dpbf16_ps(odd[r], w1, v1);                                     \
            }                                                                                  \
        }                                                                                      \
        if (i < count) {                                                                       \
            __m512bh w = (__m512bh)_mm512_loadu_si512(weights + i);                            \
            UNROLLED for (int r = 0; r < ROWS; r++) {                                          \
                __m512bh v = (__m512bh)_mm512_loadu_si512(x + r * stride + i);                 \
                even[r] = _mm512_dpbf16_ps(even[r], w, v);                                     \
            }                                                                                  \
        }                                                                                      \
        UNROLLED for (int r = 0; r < ROWS; r++)                                                \
            _mm512_storeu_ps(sums + r * LANES, _mm512_add_ps(even[r], odd[r]));                \
    }
#define UNROLLED _Pragma("GCC unroll 8")
DOT(4) DOT(1)

static void dot_bf16_avx512bf16(const uint16_t *weights, const uint16_t *x, int64_t stride,
                                int rows, int64_t count, float *sums) {
    int row = 0;
    for (; row + 4 <= rows; row += 4)
        dot_bf16_of4(weights, x + row * stride, stride, count, sums + row * LANES);
    for (; row < rows; row++)
        dot_bf16_of1(weights, x + row * stride, stride, count, sums + row * LANES);
}

/* A head's features, four at a time, so that rows of x are loaded less often. Each has one sum,
   whatever is taken together. */
#define DENSE(FEATURES, ROWS)                                                                  \
    AVX512BF16 static void dense_##FEATURES##x##ROWS(const uint16_t *weights,                  \
                                                     const uint16_t *x, int64_t count,         \
                                                     int all_rows, float *sums) {              \
        __m512 sum[FEATURES][ROWS];                                                            \
        for (int f = 0; f < FEATURES; f++)                                                     \
            for (int r = 0; r < ROWS; r++) sum[f][r] = _mm512_setzero_ps();                    \
        for (int64_t i = 0; i < count; i += 32) {                                              \
            __m512bh w[FEATURES];                                                              \
            UNROLLED for (int f = 0; f < FEATURES; f++)                                        \
                w[f] = (__m512bh)_mm512_loadu_si512(weights + f * count + i);                  \
            UNROLLED for (int r = 0; r < ROWS; r++) {                                          \
                __m512bh v = (__m512bh)_mm512_loadu_si512(x + r * count + i);                  \
                UNROLLED for (int f = 0; f < FEATURES; f++)                                    \
                    sum[f][r] = _mm512_dpbf16_ps(sum[f][r], w[f], v);                          \
            }                                                                                  \
        }                                                                                      \
        for (int f = 0; f < FEATURES; f++)                                                     \
            for (int r = 0; r < ROWS; r++)                                                     \
                _mm512_storeu_ps(sums + (f * all_rows + r) * LANES, sum[f][r]);                \
    }
DENSE(4, 4) DENSE(4, 2) DENSE(4, 1) DENSE(1, 4) DENSE(1, 2) DENSE(1, 1)

static void dense_avx512bf16(const uint16_t *weights, const uint16_t *x, int64_t count,
                             int features, int rows, float *sums) {
#define TAKE_DENSE(FEATURES, ROWS, F)                                                          \
    dense_##FEATURES##x##ROWS(weights + (F) * count, x + row * count, count, rows,             \
                              sums + ((F) * rows + row) * LANES)
#define TAKE_ROWS(FEATURES, F)                                                                 \
    do {                                                                                       \
        int row = 0;                                                                           \
        for (; row + 4 <= rows; row += 4) TAKE_DENSE(FEATURES, 4, F);                          \
        for (; row + 2 <= rows; row += 2) TAKE_DENSE(FEATURES, 2, F);                          \
        for (; row < rows; row++) TAKE_DENSE(FEATURES, 1, F);                                  \
    } while (0)
    if (features == DENSE_FEATURES) TAKE_ROWS(4, 0);
    else
        for (int f = 0; f < features; f++) TAKE_ROWS(1, f);
}

/* With instructions for bf16 no number is stored in between. Two blocks are taken at once: 64 bytes
   are 32 words of four codes, the first 16 words of one block and the rest of the other. A table
   has what the codes stand for in both, 2 * 16 words, and a lane's fifth index bit says which. So
   128 codes give four vectors of every fourth weight, and x has to lie like that as well: pair of
   blocks after pair, in each all rows. */
#define PAIR (2 * BLOCK)
#define VECTORS 4

AVX512 static void arrange_avx512bf16(const uint16_t *x, int rows, int64_t count, uint16_t *out) {
    static const int code_of[VECTORS] = {1, 0, 3, 2}; /* from the low bits of a word to the high */
    for (int64_t at = 0; at < count; at += PAIR)
        for (int row = 0; row < rows; row++)
            for (int vector = 0; vector < VECTORS; vector++)
                for (int word = 0; word < PAIR / VECTORS; word++)
                    *out++ = x[row * count + at + VECTORS * word + code_of[vector]];
}

/* FEATURES features, whose codes lie `apart` bytes from each other, times ROWS rows: a vector of x is
   loaded once for all of them, and enough sums grow side by side for the latency of an addition.
   Every tile adds in the same order, so that a row is the same bits in each. While a tile is
   computed its successors' codes are fetched, one line after the other as memory likes it. */
#define TILE(KIND, FEATURES, ROWS)                                                             \
    AVX512BF16 static void multiply_##KIND##FEATURES##x##ROWS(                                 \
        const uint8_t *codes, int64_t apart, const float *values, const block_constants *of,   \
        int64_t block, const uint16_t *x, int all_rows, float *sums) {                         \
        const __m512i low = _mm512_set1_epi16(15);                                             \
        const __m512i half = _mm512_mask_set1_epi16(_mm512_setzero_si512(), 0xFFFF0000u, 16);  \
        const uint8_t *next = codes + FEATURES * apart, *codes8 = of->codes8;                  \
        const float *plain = of->plain, *ring = of->ring;                                      \
        (void)codes8, (void)plain, (void)ring;                                                 \
        __m512 sum[FEATURES][ROWS][2], numbers = _mm512_loadu_ps(values);                      \
        for (int f = 0; f < FEATURES; f++)                                                     \
            for (int r = 0; r < ROWS; r++)                                                     \
                sum[f][r][0] = sum[f][r][1] = _mm512_setzero_ps();                             \
        for (int64_t at = 0; at < 2 * apart; at += PAIR) {                                     \
            __m512i words[FEATURES], table[FEATURES];                                          \
            UNROLLED for (int f = 0; f < FEATURES; f++) {                                      \
                int64_t first = block + (f * apart * 2 + at) / BLOCK;                          \
                __m512 scaled0 = _mm512_mul_ps(numbers, _mm512_set1_ps(KIND(first)));          \
                __m512 scaled1 = _mm512_mul_ps(numbers, _mm512_set1_ps(KIND(first + 1)));      \
                table[f] = (__m512i)_mm512_cvtne2ps_pbh(scaled1, scaled0);                     \
                words[f] = _mm512_loadu_si512(codes + f * apart + at / 2);                     \
                const char *ahead = (const char *)next + FEATURES * at / 2 + 64 * f;           \
                _mm_prefetch(ahead, _MM_HINT_T0);                                              \
                _mm_prefetch(ahead + FAR_AHEAD, _MM_HINT_T1);                                  \
            }                                                                                  \
            const uint16_t *pair = x + at * all_rows;                                          \
            UNROLLED for (int v = 0; v < VECTORS; v++) {                                       \
                __m512bh found[FEATURES];                                                      \
                UNROLLED for (int f = 0; f < FEATURES; f++)                                    \
                    found[f] = FOUND(_mm512_srli_epi16(words[f], 4 * v), table[f]);            \
                UNROLLED for (int r = 0; r < ROWS; r++) {                                      \
                    __m512bh of_row = (__m512bh)_mm512_loadu_si512(pair + r * PAIR + 32 * v);  \
                    UNROLLED for (int f = 0; f < FEATURES; f++)                                \
                        sum[f][r][v % 2] = _mm512_dpbf16_ps(sum[f][r][v % 2], found[f], of_row); \
                }                                                                              \
            }                                                                                  \
        }                                                                                      \
        for (int f = 0; f < FEATURES; f++)                                                     \
            for (int r = 0; r < ROWS; r++)                                                     \
                _mm512_storeu_ps(sums + (f * all_rows + r) * LANES,                            \
                                 _mm512_add_ps(sum[f][r][0], sum[f][r][1]));                   \
    }
/* The constant of a block, where they are as they are and where they are looked up. */
#define PLAIN(BLOCK_) plain[BLOCK_]
#define NESTED(BLOCK_) ring[((BLOCK_) & (RING - 1) & ~(NESTED_BLOCK - 1)) + codes8[BLOCK_]]
/* (index & low) | half, in one */
#define FOUND(INDEX, TABLE) \
    (__m512bh)_mm512_permutexvar_epi16(_mm512_ternarylogic_epi32(INDEX, low, half, 0xEA), TABLE)
#define TILES(KIND) \
    TILE(KIND, 2, 4) TILE(KIND, 2, 3) TILE(KIND, 2, 2) TILE(KIND, 2, 1)                        \
    TILE(KIND, 1, 4) TILE(KIND, 1, 2) TILE(KIND, 1, 1)
TILES(PLAIN)
TILES(NESTED)

static void multiply_avx512bf16(const uint8_t *codes, int64_t apart, const float *values,
                                const block_constants *of, int64_t block, int features,
                                const uint16_t *x, int rows, float *sums) {
    int row = 0;
#define TAKE_OF(KIND, FEATURES, ROWS, F)                                                       \
    multiply_##KIND##FEATURES##x##ROWS(codes + (F) * apart, apart, values, of,                 \
                                       block + (F) * apart * 2 / BLOCK, x + row * PAIR, rows,  \
                                       sums + ((F) * rows + row) * LANES)
#define TAKE(FEATURES, ROWS, F)                                                                \
    (of->plain ? TAKE_OF(PLAIN, FEATURES, ROWS, F) : TAKE_OF(NESTED, FEATURES, ROWS, F))
    if (features == AT_ONCE) {
        for (; row + 4 <= rows; row += 4) TAKE(2, 4, 0);
        if (row + 3 == rows) TAKE(2, 3, 0), row += 3;
        if (row + 2 == rows) TAKE(2, 2, 0), row += 2;
        if (row + 1 == rows) TAKE(2, 1, 0), row++;
    }
    for (int f = 0, begun = row; f < features && begun < rows; f++) { /* the last feature */
        for (row = begun; row + 4 <= rows; row += 4) TAKE(1, 4, f);
        for (; row + 2 <= rows; row += 2) TAKE(1, 2, f);
        for (; row < rows; row++) TAKE(1, 1, f);
    }
}
#endif

/* ---------------------------------------------------------------------------- NEON */

#ifdef NF4_NEON
static void decode_bf16_neon(const uint8_t *codes, const float *values, const float *constants,
                             int64_t count, uint16_t *out, int stream) {
    (void)stream;
    int64_t whole = count - count % BLOCK;
    for (int64_t at = 0; at < whole; at += BLOCK) {
        uint16_t words[16];
        for (int i = 0; i < 16; i++) words[i] = to_bf16(values[i] * constants[at / BLOCK]);
        uint8x16x2_t table = vld2q_u8((const uint8_t *)words); /* low bytes, high bytes */
        const uint8_t *from = codes + at / 2;
        __builtin_prefetch(from + AHEAD);
        for (int part = 0; part < 2; part++) {
            uint8x16_t pairs = vld1q_u8(from + 16 * part);
            uint8x16x2_t index = vzipq_u8(vshrq_n_u8(pairs, 4), vandq_u8(pairs, vdupq_n_u8(15)));
            for (int half = 0; half < 2; half++) {
                uint8x16x2_t found = {{vqtbl1q_u8(table.val[0], index.val[half]),
                                       vqtbl1q_u8(table.val[1], index.val[half])}};
                vst2q_u8((uint8_t *)(out + at + 32 * part + 16 * half), found);
            }
        }
    }
    decode_bf16_c(codes + whole / 2, values, constants + whole / BLOCK, count - whole, out + whole,
                  0);
}

static void dot_bf16_neon(const uint16_t *weights, const uint16_t *x, int64_t stride, int rows,
                          int64_t count, float *sums) {
    for (int row = 0; row < rows; row++) {
        const uint16_t *of_row = x + row * stride;
        float32x4_t sum[4];
        for (int k = 0; k < 4; k++) sum[k] = vld1q_f32(sums + row * LANES + 4 * k);
        for (int64_t i = 0; i < count; i += 16)
            for (int k = 0; k < 4; k++) {
                uint32x4_t w = vshll_n_u16(vld1_u16(weights + i + 4 * k), 16);
                uint32x4_t v = vshll_n_u16(vld1_u16(of_row + i + 4 * k), 16);
                sum[k] = vfmaq_f32(sum[k], vreinterpretq_f32_u32(w), vreinterpretq_f32_u32(v));
            }
        for (int k = 0; k < 4; k++) vst1q_f32(sums + row * LANES + 4 * k, sum[k]);
    }
}

static void dot_fp32_neon(const float *weights, const float *x, int64_t stride, int rows,
                          int64_t count, float *sums) {
    for (int row = 0; row < rows; row++) {
        const float *of_row = x + row * stride;
        float32x4_t sum[4];
        for (int k = 0; k < 4; k++) sum[k] = vld1q_f32(sums + row * LANES + 4 * k);
        for (int64_t i = 0; i < count; i += 16)
            for (int k = 0; k < 4; k++)
                sum[k] = vfmaq_f32(sum[k], vld1q_f32(weights + i + 4 * k),
                                   vld1q_f32(of_row + i + 4 * k));
        for (int k = 0; k < 4; k++) vst1q_f32(sums + row * LANES + 4 * k, sum[k]);
    }
}
#endif

/* ---------------------------------------------------------------------------- choice of a path */

typedef struct {
    const char *name;
    void (*constants)(const nf4_weights *, int64_t, int64_t, float *);
    void (*decode_bf16)(const uint8_t *, const float *, const float *, int64_t, uint16_t *, int);
    void (*decode_fp32)(const uint8_t *, const float *, const float *, int64_t, float *, int);
    void (*dot_bf16)(const uint16_t *, const uint16_t *, int64_t, int, int64_t, float *);
    void (*dot_fp32)(const float *, const float *, int64_t, int, int64_t, float *);
    /* decode_bf16 and dot_bf16 in one, for 1 to AT_ONCE features, on x as `arrange` lays it out;
       or NULL. The features' codes lie one after the other; each has `rows` sums. */
    void (*arrange)(const uint16_t *, int, int64_t, uint16_t *);
    void (*multiply)(const uint8_t *, int64_t, const float *, const block_constants *, int64_t, int,
                     const uint16_t *, int, float *);
    /* dot_bf16 for up to DENSE_FEATURES features and all rows, each one after the other; or
       NULL. */
    void (*dense)(const uint16_t *, const uint16_t *, int64_t, int, int, float *);
} path;

static const path PATHS[] = { /* the best first */
#ifdef NF4_X86
    {"avx512bf16", constants_avx512, decode_bf16_avx512, decode_fp32_avx512, dot_bf16_avx512bf16,
     dot_fp32_avx512, arrange_avx512bf16, multiply_avx512bf16, dense_avx512bf16},
    {"avx512", constants_avx512, decode_bf16_avx512, decode_fp32_avx512, dot_bf16_avx512,
     dot_fp32_avx512, NULL, NULL, NULL},
    {"avx2", constants_avx2, decode_bf16_avx2, decode_fp32_avx2, dot_bf16_avx2, dot_fp32_avx2,
     NULL, NULL, NULL},
#endif
#ifdef NF4_NEON
    {"neon", constants_c, decode_bf16_neon, decode_fp32_c, dot_bf16_neon, dot_fp32_neon, NULL, NULL,
     NULL},
#endif
    {"portable", constants_c, decode_bf16_c, decode_fp32_c, dot_bf16_c, dot_fp32_c, NULL, NULL,
     NULL},
};
#define PATH_COUNT ((int)(sizeof PATHS / sizeof *PATHS))

static _Atomic(const path *) chosen;

static int runs_here(const path *one) {
#ifdef NF4_X86
    int avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    int avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
                 && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    if (!strcmp(one->name, "avx512bf16")) return avx512 && __builtin_cpu_supports("avx512bf16");
    if (!strcmp(one->name, "avx512")) return avx512;
    if (!strcmp(one->name, "avx2")) return avx2;
#endif
    (void)one;
    return 1;
}

static const path *current_path(void) {
    const path *one = atomic_load(&chosen);
    if (one) return one;
    one = PATHS;
    while (!runs_here(one)) one++; /* the last always does */
    atomic_store(&chosen, one);
    return one;
}

EXPORT int nf4_abi(void) { return ABI; }

/* The name of path `number`, 0 the best; NULL when there are no more, "" when it cannot run here. */
EXPORT const char *nf4_path(int number) {
    if (number < 0 || number >= PATH_COUNT) return NULL;
    return runs_here(&PATHS[number]) ? PATHS[number].name : "";
}

EXPORT const char *nf4_current_path(void) { return current_path()->name; }

/* Take another path, for tests and benchmarks; returns whether it runs here. */
EXPORT int nf4_use_path(const char *name) {
    for (int i = 0; i < PATH_COUNT; i++)
        if (!strcmp(PATHS[i].name, name) && runs_here(&PATHS[i])) {
            atomic_store(&chosen, &PATHS[i]);
            return 1;
        }
    return 0;
}

/* ---------------------------------------------------------------------------- threads */

typedef void (*unit_of_work)(const void *job, int64_t unit);

#define MOST_THREADS 64
#define SPINS 2000 /* looks for the next job before a thread sleeps: some microseconds */

static struct {
    pthread_mutex_t caller; /* one job at a time; a second caller works alone */
    pthread_mutex_t lock;
    pthread_cond_t begun, ended;
    int threads;            /* helpers that were started */
    unit_of_work work;      /* NULL when there is no job */
    const void *job;
    int64_t units;
    int wanted, inside;     /* helpers that may join, and that have */
    _Atomic int64_t next;
    atomic_uint generation; /* counts jobs */
} pool = {.caller = PTHREAD_MUTEX_INITIALIZER, .lock = PTHREAD_MUTEX_INITIALIZER,
          .begun = PTHREAD_COND_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void breathe(void) {
#ifdef NF4_X86
    _mm_pause();
#elif defined(NF4_NEON)
    __asm__ __volatile__("yield");
#endif
}

static void take_units(unit_of_work work, const void *job, int64_t units) {
    int64_t unit;
    while ((unit = atomic_fetch_add(&pool.next, 1)) < units) work(job, unit);
}

static void *helper(void *unused) {
    unsigned seen = 0;
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load(&pool.generation) == seen; i++) breathe();
        pthread_mutex_lock(&pool.lock);
        while (atomic_load(&pool.generation) == seen) pthread_cond_wait(&pool.begun, &pool.lock);
        seen = atomic_load(&pool.generation);
        if (!pool.work || pool.inside >= pool.wanted) { /* too late, or enough are there */
            pthread_mutex_unlock(&pool.lock);
            continue;
        }
        pool.inside++;
        unit_of_work work = pool.work;
        const void *job = pool.job;
        int64_t units = pool.units;
        pthread_mutex_unlock(&pool.lock);
        take_units(work, job, units);
        pthread_mutex_lock(&pool.lock);
        if (--pool.inside == 0) pthread_cond_signal(&pool.ended);
        pthread_mutex_unlock(&pool.lock);
    }
    return unused;
}

/* Only called with `caller` held. A thread that cannot be had is done without. */
static void start_helpers(int wanted) {
    while (pool.threads < wanted && pool.threads < MOST_THREADS) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, helper, NULL)) return;
        pthread_detach(thread);
        pool.threads++;
    }
}

/* A child of fork has no helpers, and perhaps a lock that nobody will give back. */
static void after_fork(void) {
    pthread_mutex_init(&pool.caller, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.begun, NULL);
    pthread_cond_init(&pool.ended, NULL);
    pool.threads = pool.inside = 0;
    pool.work = NULL;
}

__attribute__((constructor)) static void mind_forks(void) {
    pthread_atfork(NULL, NULL, after_fork);
}

/* Do units 0 ... units - 1, each once, on up to `threads` threads; the caller's is one of them. */
static void run_units(unit_of_work work, const void *job, int64_t units, int threads) {
    if (threads > units) threads = (int)units;
    if (threads <= 1 || pthread_mutex_trylock(&pool.caller)) {
        for (int64_t unit = 0; unit < units; unit++) work(job, unit);
        return;
    }
    start_helpers(threads - 1);
    pthread_mutex_lock(&pool.lock);
    pool.work = work;
    pool.job = job;
    pool.units = units;
    pool.wanted = threads - 1;
    atomic_store(&pool.next, 0);
    atomic_fetch_add(&pool.generation, 1);
    pthread_cond_broadcast(&pool.begun);
    pthread_mutex_unlock(&pool.lock);
    take_units(work, job, units);
    pthread_mutex_lock(&pool.lock);
    pool.work = NULL; /* who wakes up only now has missed it */
    while (pool.inside) pthread_cond_wait(&pool.ended, &pool.lock);
    pthread_mutex_unlock(&pool.lock);
    pthread_mutex_unlock(&pool.caller);
}

/* ---------------------------------------------------------------------------- dequantise */

#define UNIT (NESTED_BLOCK * BLOCK) /* weights that one unit of work decodes */

typedef struct {
    const nf4_weights *weights;
    const path *path;
    int64_t count;
    void *out;
    int dtype, stream;
} decoding;

static void decode_unit(const void *job, int64_t unit) {
    const decoding *d = job;
    int64_t at = unit * UNIT, count = d->count - at < UNIT ? d->count - at : UNIT;
    float constants[NESTED_BLOCK];
    d->path->constants(d->weights, at / BLOCK, (count + BLOCK - 1) / BLOCK, constants);
    const uint8_t *codes = d->weights->codes + at / 2;
    if (d->dtype == BF16)
        d->path->decode_bf16(codes, d->weights->values, constants, count, (uint16_t *)d->out + at,
                             d->stream);
    else
        d->path->decode_fp32(codes, d->weights->values, constants, count, (float *)d->out + at,
                             d->stream);
}

/* `count` weights from the first on into `out`, aligned to 64 bytes, as BF16 or FP32. */
EXPORT void nf4_dequantise(const nf4_weights *weights, int64_t count, void *out, int dtype,
                           int threads) {
    size_t bytes = (size_t)count * (dtype == BF16 ? 2 : 4);
    decoding job = {weights, current_path(), count, out, dtype,
                    bytes > STREAM_BYTES && (uintptr_t)out % 64 == 0};
    run_units(decode_unit, &job, (count + UNIT - 1) / UNIT, threads);
}

/* ---------------------------------------------------------------------------- times a few rows */

typedef struct {
    const nf4_weights *weights;
    const path *path;
    int64_t out_features, in_features;
    const void *x;
    void *y;
    int64_t y_stride;
    int rows, dtype;
    int64_t features_per_unit;
    const nf4_adapter *const *adapters; /* of each row, or NULL */
    float low[MOST_ROWS * MOST_RANK]; /* x A^T of each row; zeros behind the rank */
} product;

/* Half on half, so that the compiler can add several at once. */
static float total(const float *sums) {
    float half[LANES];
    memcpy(half, sums, sizeof half);
    for (int lanes = LANES / 2; lanes; lanes /= 2)
        for (int i = 0; i < lanes; i++) half[i] += half[i + lanes];
    return half[0];
}

/* Whether the path decodes and multiplies in one; pairs of blocks then end where rows end. */
static int in_one(const path *path, int64_t in_features, int dtype) {
    return dtype == BF16 && path->multiply && in_features % (2 * BLOCK) == 0 &&
           AT_ONCE * in_features <= (RING - 2 * NESTED_BLOCK) * BLOCK;
}

/* What the codes of constants stand for: of the last blocks of the second quantization, each in
   its place of the ring. */
typedef struct {
    int64_t done; /* blocks of the second quantization before this one were looked up */
    float constants[RING];
} lookup;

CLONES static void look_up(lookup *table, const nf4_weights *w, int64_t of) {
    float *constants = table->constants + of % (RING / NESTED_BLOCK) * NESTED_BLOCK;
    for (int code = 0; code < NESTED_BLOCK; code++) {
        float scaled = w->nested_values[code] * w->nested_absmax[of];
        constants[code] = scaled + w->nested_offset;
    }
}

/* Up to AT_ONCE features with each row of x, where a path does it in one. Looking constants up as
   they are needed is faster than computing them before, by a fifth of the whole. */
static void multiply_together(const product *p, int64_t feature, int features, lookup *table,
                              float *sums) {
    const nf4_weights *w = p->weights;
    int64_t at = feature * p->in_features, block = at / BLOCK;
    int64_t end = (at + features * p->in_features - 1) / BLOCK / NESTED_BLOCK + 1;
    if (table->done < block / NESTED_BLOCK) table->done = block / NESTED_BLOCK;
    for (; !w->absmax && table->done < end; table->done++) look_up(table, w, table->done);
    block_constants of = {w->absmax, w->absmax8, table->constants};
    p->path->multiply(w->codes + at / 2, p->in_features / 2, w->values, &of, block, features,
                      p->x, p->rows, sums);
}

/* One feature's weights with each row of x, decoded a chunk at a time. */
static void multiply_decoded(const product *p, int64_t feature, float *sums) {
    const nf4_weights *w = p->weights;
    _Alignas(64) float weights[CHUNK]; /* or as many bf16 */
    float constants[CHUNK / BLOCK];
    memset(sums, 0, sizeof(float) * (size_t)(p->rows * LANES));
    for (int64_t in = 0; in < p->in_features; in += CHUNK) {
        int64_t count = p->in_features - in < CHUNK ? p->in_features - in : CHUNK;
        int64_t at = feature * p->in_features + in;
        p->path->constants(w, at / BLOCK, count / BLOCK, constants);
        if (p->dtype == FP32) {
            p->path->decode_fp32(w->codes + at / 2, w->values, constants, count, weights, 0);
            p->path->dot_fp32(weights, (const float *)p->x + in, p->in_features, p->rows, count,
                              sums);
        } else {
            p->path->decode_bf16(w->codes + at / 2, w->values, constants, count,
                                 (uint16_t *)weights, 0);
            p->path->dot_bf16((const uint16_t *)weights, (const uint16_t *)p->x + in,
                              p->in_features, p->rows, count, sums);
        }
    }
}

/* Adds what a feature's row of B makes of each row's x A^T to its sums. */
CLONES static void add_adapters(const product *p, int64_t feature, float *restrict sums) {
    for (int row = 0; row < p->rows; row++) {
        const nf4_adapter *adapter = p->adapters[row];
        if (!adapter) continue;
        const float *restrict b = adapter->b + feature * adapter->padded;
        const float *restrict low = p->low + row * MOST_RANK;
        for (int at = 0; at < adapter->padded; at += LANES)
            for (int lane = 0; lane < LANES; lane++)
                sums[row * LANES + lane] += b[at + lane] * low[at + lane];
    }
}

/* Adds the adapters' part to a feature's sums and writes its numbers. */
static void finish_feature(const product *p, int64_t feature, float *sums) {
    if (p->adapters) add_adapters(p, feature, sums);
    for (int row = 0; row < p->rows; row++) {
        float sum = total(sums + row * LANES);
        int64_t place = row * p->y_stride + feature;
        if (p->dtype == BF16) ((uint16_t *)p->y)[place] = to_bf16(sum);
        else ((float *)p->y)[place] = sum;
    }
}

static void multiply_unit(const void *job, int64_t unit) {
    const product *p = job;
    int64_t first = unit * p->features_per_unit, last = first + p->features_per_unit;
    if (last > p->out_features) last = p->out_features;
    int together = in_one(p->path, p->in_features, p->dtype) ? AT_ONCE : 1;
    lookup table;
    table.done = 0;
    for (int64_t feature = first; feature < last; feature += together) {
        int features = last - feature < together ? (int)(last - feature) : together;
        _Alignas(64) float sums[AT_ONCE * MOST_ROWS * LANES];
        if (together > 1) multiply_together(p, feature, features, &table, sums);
        else multiply_decoded(p, feature, sums);
        for (int f = 0; f < features; f++)
            finish_feature(p, feature + f, sums + f * p->rows * LANES);
    }
}

static pthread_key_t room_of_thread;

__attribute__((constructor)) static void mind_ends_of_threads(void) {
    pthread_key_create(&room_of_thread, free);
}

/* x as the path wants it: itself, or arranged in a room that each calling thread keeps. */
static const void *arranged(const path *path, const void *x, int rows, int64_t count, int dtype) {
    static _Thread_local uint16_t *room;
    static _Thread_local int64_t room_count;
    if (!in_one(path, count, dtype)) return x;
    if (rows * count > room_count) {
        void *larger;
        if (posix_memalign(&larger, 64, (size_t)(rows * count) * sizeof *room)) return NULL;
        free(room);
        room = larger;
        room_count = rows * count;
        pthread_setspecific(room_of_thread, room); /* freed with the thread */
    }
    path->arrange(x, rows, count, room);
    return room;
}

typedef struct {
    product *product;
    const void *x;
    int row, rows; /* that have the adapter */
} lowering;

#define RANKS 4 /* of an adapter that one unit of work does */

static void low_unit(const void *job, int64_t unit) {
    const lowering *l = job;
    product *p = l->product;
    const nf4_adapter *adapter = p->adapters[l->row];
    const char *x = (const char *)l->x;
    int64_t count = p->in_features, width = p->dtype == BF16 ? 2 : 4;
    int64_t last = (unit + 1) * RANKS < adapter->rank ? (unit + 1) * RANKS : adapter->rank;
    x += l->row * count * width;
    for (int64_t rank = unit * RANKS; rank < last; rank++) {
        _Alignas(64) float sums[MOST_ROWS * LANES] = {0};
        const char *a = (const char *)adapter->a + rank * count * width;
        if (p->dtype == BF16)
            p->path->dot_bf16((const uint16_t *)a, (const uint16_t *)x, count, l->rows, count,
                              sums);
        else
            p->path->dot_fp32((const float *)a, (const float *)x, count, l->rows, count, sums);
        for (int row = 0; row < l->rows; row++)
            p->low[(l->row + row) * MOST_RANK + rank] = total(sums + row * LANES);
    }
}

/* Rows from `row` on that lie side by side with the same adapter. */
static int sharing(const product *p, int row) {
    int end = row + 1;
    while (end < p->rows && p->adapters[end] == p->adapters[row]) end++;
    return end - row;
}

/* x A^T of the rows that have an adapter. */
static void go_low(product *p, const void *x, int threads) {
    for (int row = 0, some; row < p->rows; row += some) {
        const nf4_adapter *adapter = p->adapters[row];
        some = sharing(p, row);
        if (!adapter) continue;
        for (int other = row; other < row + some; other++)
            memset(p->low + other * MOST_RANK, 0, sizeof(float) * (size_t)adapter->padded);
        lowering job = {p, x, row, some};
        int alone = some * adapter->rank * p->in_features < ALONE;
        run_units(low_unit, &job, (adapter->rank + RANKS - 1) / RANKS, alone ? 1 : threads);
    }
}

/* y = x W^T, and (x A^T) B^T where a row has an adapter, for 1 to MOST_ROWS rows of x:
   (rows, in_features) to (rows, out_features), whose rows lie y_stride numbers apart; all BF16 or
   all FP32, sums in fp32; in_features is a multiple of BLOCK. `adapters` has one or NULL for each
   row; best, those that share one lie side by side. Each row of y is the same bits whatever other
   rows are there, and whatever their adapters. Returns 0 where shapes are different or memory is
   short. */
EXPORT int nf4_matmul(const nf4_weights *weights, int64_t out_features, int64_t in_features,
                      const void *x, int rows, void *y, int64_t y_stride,
                      const nf4_adapter *const *adapters, int dtype, int threads) {
    if (rows < 1 || rows > MOST_ROWS || in_features < BLOCK || in_features % BLOCK) return 0;
    for (int row = 0; adapters && row < rows; row++)
        if (adapters[row] && (adapters[row]->padded > MOST_RANK || adapters[row]->padded % LANES))
            return 0;
    const path *path = current_path();
    int64_t features = AT_ONCE * (1 + 2 * UNIT / in_features);
    product job = {.weights = weights, .path = path, .out_features = out_features,
                   .in_features = in_features, .y = y, .y_stride = y_stride, .rows = rows,
                   .dtype = dtype, .features_per_unit = features, .adapters = adapters};
    job.x = arranged(path, x, rows, in_features, dtype);
    if (!job.x) return 0;
    if (adapters) go_low(&job, x, threads);
    run_units(multiply_unit, &job, (out_features + features - 1) / features, threads);
    return 1;
}

/* ---------------------------------------------------------------------------- a head in full */

#define FEATURES 64 /* of a head that one unit of work does */

typedef struct {
    const path *path;
    const char *weights, *x;
    float *y;
    int64_t out_features, in_features;
    int rows, dtype;
} dense_product;

static void dense_unit(const void *job, int64_t unit) {
    const dense_product *p = job;
    size_t width = p->dtype == BF16 ? 2 : 4;
    int64_t last = (unit + 1) * FEATURES < p->out_features ? (unit + 1) * FEATURES
                                                           : p->out_features;
    int together = p->dtype == BF16 && p->path->dense ? DENSE_FEATURES : 1;
    for (int64_t feature = unit * FEATURES; feature < last; feature += together) {
        int features = last - feature < together ? (int)(last - feature) : together;
        _Alignas(64) float sums[DENSE_FEATURES * MOST_ROWS * LANES] = {0};
        const char *weights = p->weights + (size_t)(feature * p->in_features) * width;
        if (together > 1)
            p->path->dense((const uint16_t *)weights, (const uint16_t *)p->x, p->in_features,
                           features, p->rows, sums);
        else if (p->dtype == BF16)
            p->path->dot_bf16((const uint16_t *)weights, (const uint16_t *)p->x, p->in_features,
                              p->rows, p->in_features, sums);
        else
            p->path->dot_fp32((const float *)weights, (const float *)p->x, p->in_features, p->rows,
                              p->in_features, sums);
        for (int f = 0; f < features; f++)
            for (int row = 0; row < p->rows; row++)
                p->y[row * p->out_features + feature + f]
                    = total(sums + (f * p->rows + row) * LANES);
    }
}

/* y = x W^T with W as it is, for 1 to MOST_ROWS rows: (rows, in_features) to (rows, out_features)
   FP32; x and W both BF16 or both FP32; in_features is a multiple of 32. Each row is the same bits
   whatever other rows are there. Returns 0 where shapes are different. */
EXPORT int nf4_dense(const void *weights, int64_t out_features, int64_t in_features, const void *x,
                     int rows, float *y, int dtype, int threads) {
    if (rows < 1 || rows > MOST_ROWS || in_features < 32 || in_features % 32) return 0;
    dense_product job = {current_path(), weights, x, y, out_features, in_features, rows, dtype};
    run_units(dense_unit, &job, (out_features + FEATURES - 1) / FEATURES, threads);
    return 1;
}

/* ---------------------------------------------------------------------------- attention */

/* e^x for x <= 0 by 2^(x log2 e): the fraction by Taylor's series of 2^f on +-1/2, 7 terms. */
CLONES static void exponentials(float *numbers, int count) {
    for (int i = 0; i < count; i++) {
        float power = numbers[i] * 1.44269504f;
        power = power < -126.0f ? -126.0f : power;
        int32_t whole = (int32_t)(power - 0.5f); /* towards zero: the nearest, for power <= 0 */
        float f = (power - (float)whole) * 0.693147181f;
        float series = 1.0f + f * (1.0f + f * (1.0f / 2 + f * (1.0f / 6 + f * (1.0f / 24
                       + f * (1.0f / 120 + f * (1.0f / 720))))));
        int32_t bits = (whole + 127) << 23;
        float scale;
        memcpy(&scale, &bits, 4);
        numbers[i] = series * scale;
    }
}

/* sums = sums * before + sum over keys of weight * value. */
CLONES static void weigh_bf16(const uint16_t *values, const float *weights, int keys, int size,
                              float before, float *sums) {
    for (int d = 0; d < size; d++) sums[d] *= before;
    for (int key = 0; key < keys; key++)
        for (int d = 0; d < size; d++) {
            uint32_t bits = (uint32_t)values[(int64_t)key * size + d] << 16;
            float value;
            memcpy(&value, &bits, 4);
            sums[d] += weights[key] * value;
        }
}

CLONES static void weigh_fp32(const float *values, const float *weights, int keys, int size,
                              float before, float *sums) {
    for (int d = 0; d < size; d++) sums[d] *= before;
    for (int key = 0; key < keys; key++)
        for (int d = 0; d < size; d++) sums[d] += weights[key] * values[(int64_t)key * size + d];
}

/* What one query sees: keys and values of a head, in one piece or in pages of KEYS. */
typedef struct {
    const char *keys, *values; /* in one piece, or NULL: */
    char *const *pages;
    size_t key_place, value_place; /* of the head in each page */
    int64_t first, length;
} seen;

typedef struct {
    const path *path;
    int size, dtype;
    float scale;
} scoring;

/* One query: softmax over tiles of keys, rescaled when a larger score comes (Milakov and
   Gimelshein, arXiv 1805.02867). */
static void attend_query(const scoring *a, const char *q, const seen *s, float *found) {
    size_t width = a->dtype == BF16 ? 2 : 4;
    float largest = 0, sum = 0;
    memset(found, 0, sizeof(float) * (size_t)a->size);
    for (int64_t at = s->first, next; at < s->length; at = next) {
        next = at - at % KEYS + KEYS < s->length ? at - at % KEYS + KEYS : s->length;
        int count = (int)(next - at);
        _Alignas(64) float sums[KEYS * LANES] = {0};
        float scores[KEYS];
        size_t place = (size_t)(s->keys ? at : at % KEYS) * (size_t)a->size * width;
        const char *keys = s->keys ? s->keys : s->pages[at / KEYS] + s->key_place;
        const char *values = s->keys ? s->values : s->pages[at / KEYS] + s->value_place;
        keys += place, values += place;
        if (a->dtype == BF16)
            a->path->dot_bf16((const uint16_t *)q, (const uint16_t *)keys, a->size, count, a->size,
                              sums);
        else
            a->path->dot_fp32((const float *)q, (const float *)keys, a->size, count, a->size, sums);
        float high = at == s->first ? total(sums) * a->scale : largest;
        for (int i = 0; i < count; i++) {
            scores[i] = total(sums + i * LANES) * a->scale;
            high = scores[i] > high ? scores[i] : high;
        }
        float before = at == s->first ? 0 : largest - high;
        if (at != s->first) exponentials(&before, 1);
        for (int i = 0; i < count; i++) scores[i] -= high;
        exponentials(scores, count);
        sum *= before;
        for (int i = 0; i < count; i++) sum += scores[i];
        if (a->dtype == BF16)
            weigh_bf16((const uint16_t *)values, scores, count, a->size, before, found);
        else
            weigh_fp32((const float *)values, scores, count, a->size, before, found);
        largest = high;
    }
    for (int d = 0; d < a->size; d++) found[d] /= sum;
}

/* The queries that share a head of keys: `group` of them, one after the other. */
static void attend_group(const scoring *a, const char *q, const seen *s, int group, char *out) {
    for (int64_t g = 0; g < group; g++) {
        float found[MOST_SIZE];
        attend_query(a, q + (size_t)(g * a->size) * (a->dtype == BF16 ? 2 : 4), s, found);
        for (int d = 0; d < a->size; d++) {
            if (a->dtype == BF16) ((uint16_t *)out)[g * a->size + d] = to_bf16(found[d]);
            else ((float *)out)[g * a->size + d] = found[d];
        }
    }
}

typedef struct {
    scoring scoring;
    const char *q, *keys, *values; /* BF16 or FP32 */
    char *out;
    const int64_t *first;
    int64_t length, room;
    int key_heads, group;
} attending;

static void attend_unit(const void *job, int64_t unit) {
    const attending *a = job;
    size_t head = (size_t)a->scoring.size * (a->scoring.dtype == BF16 ? 2 : 4);
    size_t skip = (size_t)(unit * a->room) * head, query = (size_t)(unit * a->group) * head;
    seen s = {.keys = a->keys + skip, .values = a->values + skip,
              .first = a->first[unit / a->key_heads], .length = a->length};
    attend_group(&a->scoring, a->q + query, &s, a->group, a->out + query);
}

/* One new token per row: softmax(q k^T scale) v over keys first[row] ... length of that row.
   q and out (rows, key_heads, group, size), keys and values (rows, key_heads, room, size), all BF16
   or all FP32; size is a multiple of 32. Returns 0 where shapes are different. */
EXPORT int nf4_attend(const void *q, const void *keys, const void *values, void *out, int rows,
                      int key_heads, int group, int size, int64_t length, int64_t room,
                      const int64_t *first, float scale, int dtype, int threads) {
    if (size % 32 || size > MOST_SIZE || length < 1) return 0;
    attending job = {{current_path(), size, dtype, scale}, q, keys, values, out, first, length,
                     room, key_heads, group};
    run_units(attend_unit, &job, (int64_t)rows * key_heads, threads);
    return 1;
}

/* A row whose keys and values lie in pages, each (blocks, 2, key_heads, KEYS, size). */
typedef struct {
    char *const *pages;
    int64_t length; /* with the new token */
} nf4_paged;

typedef struct {
    scoring scoring;
    const nf4_paged *rows;
    const char *qkv;
    char *out;
    int64_t block, window;
    int key_heads, group;
} attending_pages;

static void attend_pages_unit(const void *job, int64_t unit) {
    const attending_pages *a = job;
    int64_t row = unit / a->key_heads, key_head = unit % a->key_heads;
    const nf4_paged *of = a->rows + row;
    size_t head = (size_t)a->scoring.size * (a->scoring.dtype == BF16 ? 2 : 4), tile = head * KEYS;
    int64_t queries = (int64_t)a->key_heads * a->group, last = of->length - 1;
    const char *qkv = a->qkv + (size_t)(row * (queries + 2 * a->key_heads)) * head;
    seen s = {.pages = of->pages, .length = of->length,
              .first = a->window && of->length > a->window ? of->length - a->window : 0,
              .key_place = (size_t)(2 * a->block * a->key_heads + key_head) * tile,
              .value_place = (size_t)((2 * a->block + 1) * a->key_heads + key_head) * tile};
    char *page = of->pages[last / KEYS] + (size_t)(last % KEYS) * head;
    memcpy(page + s.key_place, qkv + (size_t)(queries + key_head) * head, head);
    memcpy(page + s.value_place, qkv + (size_t)(queries + a->key_heads + key_head) * head, head);
    size_t query = (size_t)(key_head * a->group) * head;
    attend_group(&a->scoring, qkv + query, &s, a->group,
                 a->out + (size_t)(row * queries) * head + query);
}

/* One new token per row, each with pages and a length of its own: puts its keys and values where
   they belong and attends. qkv (rows, (key_heads group + 2 key_heads) size): queries, keys, values
   side by side; out (rows, key_heads group size); all BF16 or all FP32; size is a multiple of 32.
   A row sees its last `window` keys, or with 0 all. Returns 0 where shapes are different. */
EXPORT int nf4_attend_pages(const nf4_paged *rows, int count, const void *qkv, void *out,
                            int64_t block, int key_heads, int group, int size, int64_t window,
                            float scale, int dtype, int threads) {
    if (size % 32 || size > MOST_SIZE) return 0;
    attending_pages job = {{current_path(), size, dtype, scale}, rows, qkv, out, block, window,
                           key_heads, group};
    run_units(attend_pages_unit, &job, (int64_t)count * key_heads, threads);
    return 1;
}
