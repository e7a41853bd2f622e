# Vectors in half precision, rounded from those in single precision.
. "$SOURCE/tests/cli/embed/shards.inc"
shard a.tar 1 3
bulk a.tar --output half --dtype f16 && bulk a.tar --output single
head -c 72 half/a.npy | tail -c 62 && echo
tail -c +129 half/a.npy | od -An -v -tu2 -w2 >half.bits
tail -c +129 single/a.npy | od -An -v -tf4 -w4 | awk '
    function half(x, e, m) { # of a number of magnitude 2^-14 to 2, to nearest even
        s = x < 0 ? 32768 : 0; x = x < 0 ? -x : x
        for (e = 15; x < 1; e--) x *= 2
        for (; x >= 2; e++) x /= 2
        m = (x - 1) * 1024; r = int(m); d = m - r
        if (d > 0.5 || (d == 0.5 && r % 2)) r++
        return s + e * 1024 + r
    }
    { getline bits <"half.bits"; far = half($1) - bits; if (far < -1 || far > 1) print "differs: " $1 " " bits }
    END { print NR " numbers" }'
