"""CRC-32C of bytes, inline and without the GIL."""

from libc.stdint cimport uint32_t


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>

    #if defined(__x86_64__)
        #define CRC32C_TARGET __attribute__((target("sse4.2")))
        #define CRC32C_IS_THERE __builtin_cpu_supports("sse4.2")
        #define CRC32C_WORD(crc, word) (uint32_t)__builtin_ia32_crc32di(crc, word)
        #define CRC32C_BYTE(crc, byte) __builtin_ia32_crc32qi(crc, byte)
    #elif defined(__aarch64__)
        #include <arm_acle.h>
        #define CRC32C_WORD(crc, word) __crc32cd(crc, word)
        #define CRC32C_BYTE(crc, byte) __crc32cb(crc, byte)
        #ifdef __ARM_FEATURE_CRC32
            #define CRC32C_TARGET
            #define CRC32C_IS_THERE 1
        #else
            #include <sys/auxv.h>
            #define CRC32C_TARGET __attribute__((target("+crc")))
            #define CRC32C_IS_THERE (getauxval(AT_HWCAP) & HWCAP_CRC32)
        #endif
    #endif

    /* Half a byte at a time, for a processor without an instruction of its own. */
    static uint32_t crc32c_by_table(uint32_t crc, const unsigned char *bytes, size_t count) {
        static const uint32_t table[16] = {
            0x00000000, 0x105EC76F, 0x20BD8EDE, 0x30E349B1, 0x417B1DBC, 0x5125DAD3, 0x61C69362,
            0x7198540D, 0x82F63B78, 0x92A8FC17, 0xA24BB5A6, 0xB21572C9, 0xC38D26C4, 0xD3D3E1AB,
            0xE330A81A, 0xF36E6F75,
        };
        for (; count; count--, bytes++) {
            crc ^= *bytes;
            crc = crc >> 4 ^ table[crc & 15];
            crc = crc >> 4 ^ table[crc & 15];
        }
        return crc;
    }

    #ifdef CRC32C_TARGET
    CRC32C_TARGET
    static uint32_t crc32c_by_processor(uint32_t crc, const unsigned char *bytes, size_t count) {
        uint64_t word;
        for (; count >= 8; count -= 8, bytes += 8) {
            memcpy(&word, bytes, 8);
            crc = CRC32C_WORD(crc, word);
        }
        for (; count; count--, bytes++)
            crc = CRC32C_BYTE(crc, *bytes);
        return crc;
    }
    #else
        #define CRC32C_IS_THERE 0
        #define crc32c_by_processor crc32c_by_table
    #endif

    static uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t count) {
        if (CRC32C_IS_THERE)
            return ~crc32c_by_processor(~crc, (const unsigned char *)bytes, count);
        return ~crc32c_by_table(~crc, (const unsigned char *)bytes, count);
    }
    """
    # Of what has the CRC `crc` (0 is of nothing), and these bytes after it.
    uint32_t crc32c_extend(uint32_t crc, const void* bytes, size_t count) noexcept nogil
    uint32_t crc32c_by_table(uint32_t crc, const unsigned char* bytes, size_t count) noexcept nogil
