#!/usr/bin/env bash
# A matrix that Python's svipc writes into shared memory is empty for whoever reads it, in Python as in Yorick, without
# an error; one that Yorick writes arrives in Python.
# Guess: what svipc is made for: an array of 2 rows and 3 columns has these, or in Yorick the dimensions in reverse.
# Seen (svipc 0.16, NumPy 1.24, Yorick 2.2, x64): it is written as 2 by 0, since the second dimension is read from the
# upper half of the first one's 64 bits; vectors are right. Yorick's matrix has its dimensions in reverse in Python.
. "$(dirname "$0")/lib.sh"
unpack python3-svipc=0.16-5+b7 yorick-svipc=0.16-5+b7 yorick=2.2.04+dfsg1-12 yorick-data=2.2.04+dfsg1-12 \
    python3-numpy=1:1.24.2-1+deb12u1 libblas3=3.11.0-2 liblapack3=3.11.0-2 libgfortran5=12.2.0-14+deb12u1
libraries=$work/root/usr/lib/x86_64-linux-gnu
python() {
    LD_LIBRARY_PATH=$libraries/blas:$libraries/lapack:$libraries PYTHONPATH=$work/root/usr/lib/python3/dist-packages \
        /usr/bin/python3 -c "import numpy, svipc
$1"
}
yorick() {
    printf '%s\n' "plug_dir, \"$work/root/usr/lib/yorick/lib\";" \
        "#include \"$work/root/usr/share/yorick/i0/svipc.i\"" "$1" 'quit;' >steps.i
    YORICK_HOME=$work/root/usr/share/yorick timeout 60 "$work/root/usr/bin/yorick" -batch steps.i | xargs
}
python 'svipc.shm_init(0x5a5a, 4)
svipc.shm_write(0x5a5a, "vector", numpy.arange(6, dtype=numpy.int32))
svipc.shm_write(0x5a5a, "matrix", numpy.arange(6, dtype=numpy.int32).reshape(2, 3))'
shapes() { python "print(svipc.shm_read(0x5a5a, '$1').shape)"; }
expect 'vector, Python to Python' '(6,)' "$(shapes vector)"
expect 'vector, Python to Yorick' '1 6' "$(yorick 'write, dimsof(shm_read(0x5a5a, "vector"));')"
expect 'matrix, Python to Python' '(2, 0)' "$(shapes matrix)"
expect 'matrix, Python to Yorick' '2 0 2' "$(yorick 'write, dimsof(shm_read(0x5a5a, "matrix"));')"
yorick 'matrix = array(int, 2, 3); shm_write, 0x5a5a, "theirs", &matrix;'
expect 'matrix, Yorick to Python' '(3, 2)' "$(shapes theirs)"
finish
