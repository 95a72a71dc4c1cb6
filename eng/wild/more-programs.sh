# shellcheck shell=bash
# More programs of eng/wild.sh, as programs.sh has them: browsers, DDS, MPI, Python, R, machines and tools.
# shellcheck disable=SC2034,SC2016
programs+=(
    chromium firefox fastdds mpich boost qt6 bigmemory torch joblib stress-ng haproxy qemu lttng
    bwa star supercollider varnish pipewire weston parallel
)
package+=(
    [chromium]=chromium [firefox]=firefox-esr [fastdds]=libfastdds-dev [mpich]=mpich [boost]=libboost-dev
    [qt6]=python3-pyqt6
    [bigmemory]=r-cran-bigmemory [torch]=python3-torch [joblib]=python3-joblib [stress-ng]=stress-ng [haproxy]=haproxy
    [qemu]=qemu-system-x86 [lttng]=lttng-tools [bwa]=bwa [star]=rna-star
    [supercollider]=supercollider-server [varnish]=varnish [pipewire]=pipewire [weston]=weston [parallel]=parallel
)
packages+=("${package[@]}" g++ libmpich-dev liblttng-ust-dev pipewire-bin)

start_chromium() {
    chromium --headless --no-sandbox --disable-gpu --remote-debugging-port=9222 \
        --user-data-dir=/tmp/chromium about:blank
}
ready_chromium() { curl -sf http://127.0.0.1:9222/json/list; }
check_chromium() { curl -sf http://127.0.0.1:9222/json/list | grep -q about:blank; }
stop_chromium() { killall chromium; }

start_firefox() {
    mkdir -p /tmp/firefox
    firefox-esr --headless --profile /tmp/firefox --remote-debugging-port 9223 about:blank
}
ready_firefox() { nc -z 127.0.0.1 9223; }
check_firefox() { curl -s -o /dev/null http://127.0.0.1:9223/; }
stop_firefox() { killall firefox-esr; }

# A writer and a reader, each a process, with the transports that Fast DDS takes by itself: shared memory first.
fastdds() {
    cat >/tmp/wild-dds.cpp <<'CPP'
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>
#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/dds/topic/TypeSupport.hpp>
using namespace eprosima::fastdds::dds;
using eprosima::fastdds::rtps::InstanceHandle_t;
using eprosima::fastdds::rtps::SerializedPayload_t;
struct Number : TopicDataType {
    Number() { max_serialized_type_size = 8; is_compute_key_provided = false; set_name("Number"); }
    bool serialize(const void* const data, SerializedPayload_t& to, DataRepresentationId_t) override {
        memset(to.data, 0, 4);
        to.data[1] = 1;
        memcpy(to.data + 4, data, 4);
        to.length = 8;
        return true;
    }
    bool deserialize(SerializedPayload_t& from, void* data) override { memcpy(data, from.data + 4, 4); return true; }
    uint32_t calculate_serialized_size(const void* const, DataRepresentationId_t) override { return 8; }
    void* create_data() override { return new uint32_t(0); }
    void delete_data(void* data) override { delete static_cast<uint32_t*>(data); }
    bool compute_key(SerializedPayload_t&, InstanceHandle_t&, bool) override { return false; }
    bool compute_key(const void* const, InstanceHandle_t&, bool) override { return false; }
};
static volatile sig_atomic_t ended;
int main(int, char** argv) {
    signal(SIGTERM, [](int) { ended = 1; });
    auto factory = DomainParticipantFactory::get_instance();
    auto participant = factory->create_participant(0, PARTICIPANT_QOS_DEFAULT);
    TypeSupport type(new Number());
    type.register_type(participant);
    auto topic = participant->create_topic("wild", "Number", TOPIC_QOS_DEFAULT);
    uint32_t number = 0;
    if (argv[1][0] == 'w') {
        auto publisher = participant->create_publisher(PUBLISHER_QOS_DEFAULT);
        auto writer = publisher->create_datawriter(topic, DATAWRITER_QOS_DEFAULT);
        for (; !ended; number++) {
            writer->write(&number);
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
        }
    } else {
        auto subscriber = participant->create_subscriber(SUBSCRIBER_QOS_DEFAULT);
        auto reader = subscriber->create_datareader(topic, DATAREADER_QOS_DEFAULT);
        while (!ended) {
            SampleInfo info;
            while (reader->take_next_sample(&number, &info) == RETCODE_OK)
                if (info.valid_data) std::ofstream("/tmp/wild-dds") << number;
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
        }
    }
    participant->delete_contained_entities();
    factory->delete_participant(participant);
}
CPP
    [ -x /tmp/dds-wild ] || g++ -o /tmp/dds-wild /tmp/wild-dds.cpp -lfastdds -lfastcdr
}
start_fastdds() {
    fastdds || return
    /tmp/dds-wild writer &
    /tmp/dds-wild reader
}
ready_fastdds() { [ -s /tmp/wild-dds ]; }
check_fastdds() { progresses /tmp/wild-dds; }
stop_fastdds() { rm -f /tmp/wild-dds; killall dds-wild; }

start_mpich() {
    cat >/tmp/wild-mpich.c <<'C'
#include <mpi.h>
#include <stdio.h>
#include <unistd.h>
int main(int argc, char** argv) {
    int rank, n = 0, next;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (;;) {
        next = n + 1;
        MPI_Allreduce(&next, &n, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
        if (rank == 1) { FILE* f = fopen("/tmp/wild-mpich", "w"); fprintf(f, "%d", n); fclose(f); }
        usleep(100000);
    }
}
C
    [ -x /tmp/mpich-wild ] || mpicc.mpich -o /tmp/mpich-wild /tmp/wild-mpich.c || return
    mpirun.mpich -np 2 /tmp/mpich-wild
}
ready_mpich() { [ -s /tmp/wild-mpich ]; }
check_mpich() { progresses /tmp/wild-mpich; }
stop_mpich() { rm -f /tmp/wild-mpich; killall mpirun.mpich mpiexec.hydra mpich-wild; }

# A segment, a mutex, a semaphore and a queue of Boost.Interprocess.
start_boost() {
    cat >/tmp/wild-boost.cpp <<'CPP'
#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/sync/named_mutex.hpp>
#include <boost/interprocess/sync/named_semaphore.hpp>
#include <csignal>
#include <fstream>
#include <unistd.h>
using namespace boost::interprocess;
static volatile sig_atomic_t ended;
int main() {
    signal(SIGTERM, [](int) { ended = 1; });
    managed_shared_memory segment(open_or_create, "WildSegment", 65536);
    named_mutex mutex(open_or_create, "WildMutex");
    named_semaphore semaphore(open_or_create, "WildSemaphore", 1);
    message_queue queue(open_or_create, "WildQueue", 10, sizeof(int));
    int* count = segment.find_or_construct<int>("count")(0);
    while (!ended) {
        semaphore.wait();
        { scoped_lock<named_mutex> hold(mutex); std::ofstream("/tmp/wild-boost") << ++*count; }
        semaphore.post();
        usleep(100000);
    }
    shared_memory_object::remove("WildSegment");
    named_mutex::remove("WildMutex");
    named_semaphore::remove("WildSemaphore");
    message_queue::remove("WildQueue");
}
CPP
    [ -x /tmp/boost-wild ] || g++ -o /tmp/boost-wild /tmp/wild-boost.cpp || return
    /tmp/boost-wild
}
ready_boost() { [ -s /tmp/wild-boost ]; }
check_boost() { progresses /tmp/wild-boost; }
stop_boost() { rm -f /tmp/wild-boost; killall boost-wild; }

# Both kinds of Qt 6: System V, which is its default on Linux, and POSIX.
start_qt6() {
    cat >/tmp/wild-qt.py <<'PY'
import signal, sys, time
from PyQt6.QtCore import QNativeIpcKey, QSharedMemory, QSystemSemaphore
signal.signal(signal.SIGTERM, lambda *_: sys.exit())
kinds = [QNativeIpcKey.Type.SystemV, QNativeIpcKey.Type.PosixRealtime]
segments = [QSharedMemory(QSharedMemory.platformSafeKey("wild-qt", kind)) for kind in kinds]
create = QSystemSemaphore.AccessMode.Create
semaphores = [QSystemSemaphore(QSystemSemaphore.platformSafeKey("wild-qt-count", kind), 1, create) for kind in kinds]
for segment in segments:
    if not segment.create(4096) and not segment.attach():
        sys.exit(segment.errorString())
n = 0
while True:
    for segment, semaphore in zip(segments, semaphores):
        semaphore.acquire()
        segment.lock()
        n += 1
        open("/tmp/wild-qt", "w").write(str(n))
        segment.unlock()
        semaphore.release()
    time.sleep(0.1)
PY
    python3 /tmp/wild-qt.py
}
ready_qt6() { [ -s /tmp/wild-qt ]; }
check_qt6() { progresses /tmp/wild-qt; }
stop_qt6() { rm -f /tmp/wild-qt; killall python3; }

stop_by_file() { # PROGRAM FILE: of programs that look for a file to end, and write another until then
    touch /tmp/wild-stop
    while pgrep -x "$1" >/dev/null; do sleep 0.2; done
    rm -f "$2"
}
start_bigmemory() {
    rm -f /tmp/wild-stop
    Rscript -e 'library(bigmemory); x <- big.matrix(10, 10, type = "integer", init = 0, shared = TRUE)
        y <- attach.big.matrix(describe(x))
        while (!file.exists("/tmp/wild-stop")) {
            x[1, 1] <- y[1, 1] + 1L; writeLines(as.character(y[1, 1]), "/tmp/wild-r"); Sys.sleep(0.1)
        }'
}
ready_bigmemory() { [ -s /tmp/wild-r ]; }
check_bigmemory() { progresses /tmp/wild-r; }
stop_bigmemory() { stop_by_file R /tmp/wild-r; }

# A loader with two workers, as in training, with the strategy that programs with many tensors are told to choose.
start_torch() {
    rm -f /tmp/wild-stop
    cat >/tmp/wild-torch.py <<'PY'
import os, time, torch, torch.multiprocessing
from torch.utils.data import DataLoader, Dataset
torch.multiprocessing.set_sharing_strategy("file_system")
class Numbers(Dataset):
    def __len__(self): return 1 << 20
    def __getitem__(self, i): return torch.full((1000,), float(i))
if __name__ == "__main__":
    kept = []
    for batch in DataLoader(Numbers(), batch_size=4, num_workers=2):
        kept = [*kept[-3:], batch]
        open("/tmp/wild-torch", "w").write(str(int(batch[0, 0])))
        if os.path.exists("/tmp/wild-stop"): break
        time.sleep(0.1)
PY
    python3 /tmp/wild-torch.py
}
ready_torch() { [ -s /tmp/wild-torch ]; }
check_torch() { progresses /tmp/wild-torch; }
stop_torch() { stop_by_file python3 /tmp/wild-torch; }

start_joblib() {
    rm -f /tmp/wild-stop
    cat >/tmp/wild-joblib.py <<'PY'
import os, time, numpy
from joblib import Parallel, delayed
def work(numbers, i):
    time.sleep(0.1)
    return float(numbers[i])
if __name__ == "__main__":
    numbers = numpy.arange(1 << 20, dtype=float)
    n = 0
    with Parallel(n_jobs=2, max_nbytes="1K") as pool:
        while not os.path.exists("/tmp/wild-stop"):
            n += int(sum(pool(delayed(work)(numbers, i) for i in range(4))))
            open("/tmp/wild-joblib", "w").write(str(n))
PY
    python3 /tmp/wild-joblib.py
}
ready_joblib() { [ -s /tmp/wild-joblib ]; }
check_joblib() { progresses /tmp/wild-joblib; }
stop_joblib() { stop_by_file python3 /tmp/wild-joblib; }

start_stress-ng() { stress-ng --sem-sysv 1 --timeout 120; }
ready_stress-ng() { [ "$(awk 'NR > 1' /proc/sysvipc/sem | wc -l)" -gt 0 ]; }
check_stress-ng() { pgrep stress-ng; }
stop_stress-ng() { killall -INT stress-ng; }

start_haproxy() {
    printf '%s\n' global '  stats socket /tmp/haproxy.sock' defaults '  mode http' '  timeout client 5s' \
        '  timeout server 5s' '  timeout connect 5s' 'frontend f' '  bind 127.0.0.1:8081' \
        '  http-request return status 200' >/tmp/haproxy.cfg
    haproxy -W -f /tmp/haproxy.cfg
}
ready_haproxy() { curl -sf http://127.0.0.1:8081/; }
check_haproxy() { curl -sf http://127.0.0.1:8081/; }
stop_haproxy() { killall -USR1 haproxy; }

# A machine that shares memory with the host by a device (ivshmem), halted before its first instruction.
start_qemu() {
    qemu-system-x86_64 -machine q35 -nodefaults -display none -S -m 32 -device ivshmem-plain,memdev=shared \
        -object memory-backend-file,id=shared,share=on,mem-path=/dev/shm/ivshmem,size=1M \
        -monitor unix:/tmp/qemu.sock,server=on,wait=off
}
ready_qemu() { echo 'info status' | nc -N -U /tmp/qemu.sock | grep -q status; }
check_qemu() { echo 'info memdev' | nc -N -U /tmp/qemu.sock | grep -q shared; }
stop_qemu() { echo quit | nc -N -U /tmp/qemu.sock; }

start_lttng() {
    printf '%s\n' '#include <lttng/tracef.h>' '#include <unistd.h>' \
        'int main(void) { for (int i = 0;; i++) { lttng_ust_tracef("wild %d", i); usleep(100000); } }' >/tmp/wild-ust.c
    [ -x /tmp/ust-wild ] || gcc -o /tmp/ust-wild /tmp/wild-ust.c -llttng-ust -ldl || return
    lttng-sessiond --daemonize --no-kernel
    lttng create wild --output /tmp/lttng && lttng enable-event --userspace --all && lttng start || return
    touch /tmp/wild-lttng
    /tmp/ust-wild
}
ready_lttng() { [ -e /tmp/wild-lttng ] && lttng list --userspace | grep -q ust-wild; }
check_lttng() { lttng list wild | grep -qi active; }
stop_lttng() { rm -f /tmp/wild-lttng; killall ust-wild; lttng destroy wild; killall -w lttng-sessiond; }

# An index that is loaded once and stays, with no process at all, until somebody maps reads to it: bwa and STAR.
genome() {
    awk 'BEGIN {
        srand(7)
        for (l = 0; l < 400; l++) {
            if (l == 0) print ">wild"
            s = ""
            for (i = 0; i < 60; i++) s = s substr("ACGT", int(rand() * 4) + 1, 1)
            print s
        }
    }' >/tmp/genome.fa
    awk 'NR >= 10 && NR < 12 { s = s $0 } END { print "@read\n" s "\n+"; gsub(/./, "I", s); print s }' /tmp/genome.fa \
        >/tmp/reads.fq
}
start_bwa() { genome; bwa index /tmp/genome.fa && bwa shm /tmp/genome.fa; }
ready_bwa() { bwa shm -l | grep -q genome; }
check_bwa() { bwa mem /tmp/genome.fa /tmp/reads.fq | grep -q '^read.*wild'; }
stop_bwa() { bwa shm -d; }

start_star() {
    genome
    mkdir -p /tmp/star && cd /tmp/star || return
    STAR --runMode genomeGenerate --genomeDir /tmp/star --genomeFastaFiles /tmp/genome.fa --genomeSAindexNbases 5 \
        --outFileNamePrefix /tmp/star/made. &&
        STAR --genomeDir /tmp/star --genomeLoad LoadAndExit --outFileNamePrefix /tmp/star/loaded. &&
        touch /tmp/star/ready
}
ready_star() { [ -e /tmp/star/ready ]; }
check_star() {
    STAR --genomeDir /tmp/star --genomeLoad LoadAndKeep --readFilesIn /tmp/reads.fq \
        --outFileNamePrefix /tmp/star/mapped. --outSAMtype SAM &&
        grep -q wild /tmp/star/mapped.Aligned.out.sam
}
stop_star() {
    rm -f /tmp/star/ready
    STAR --genomeDir /tmp/star --genomeLoad Remove --outFileNamePrefix /tmp/star/removed.
}

start_supercollider() {
    JACK_NO_AUDIO_RESERVATION=1 jackd -r -d dummy &
    until jack_lsp >/dev/null 2>&1; do sleep 0.2; done
    scsynth -u 57110 -B 127.0.0.1
}
ready_supercollider() { printf '/status\0,\0\0\0' | nc -u -w 1 127.0.0.1 57110 | grep -qa status.reply; }
check_supercollider() { printf '/status\0,\0\0\0' | nc -u -w 1 127.0.0.1 57110 | grep -qa status.reply; }
stop_supercollider() { printf '/quit\0\0\0,\0\0\0' | nc -u -w 1 127.0.0.1 57110; killall jackd; }

start_varnish() { varnishd -F -a 127.0.0.1:6081 -b none -n /tmp/varnish; }
ready_varnish() { nc -z 127.0.0.1 6081; }
check_varnish() { varnishadm -n /tmp/varnish ping | grep -q PONG; }
stop_varnish() { killall varnishd; }

start_pipewire() {
    export XDG_RUNTIME_DIR=/run/user/0
    mkdir -p -m 700 $XDG_RUNTIME_DIR
    pipewire
}
ready_pipewire() { XDG_RUNTIME_DIR=/run/user/0 pw-cli info 0; }
check_pipewire() { XDG_RUNTIME_DIR=/run/user/0 pw-cli info 0 | grep -q PipeWire; }
stop_pipewire() { killall pipewire; }

start_weston() {
    export XDG_RUNTIME_DIR=/run/user/0
    mkdir -p -m 700 $XDG_RUNTIME_DIR
    weston --backend=headless --socket=wild --idle-time=0 &
    until [ -S $XDG_RUNTIME_DIR/wild ]; do sleep 0.2; done
    WAYLAND_DISPLAY=wild weston-simple-shm
}
ready_weston() { pgrep -f weston-simple-shm; }
check_weston() { pgrep -x weston && pgrep -f weston-simple-shm; }
stop_weston() { killall weston-simple-shm weston; }

start_parallel() {
    for _ in 1 2 3; do sem --id wild -j 2 sleep 30; done
    sem --id wild --wait
}
ready_parallel() { pgrep -fx 'sleep 30'; }
check_parallel() { pgrep -fx 'sleep 30'; }
stop_parallel() { pkill -fx 'sleep 30'; killall perl; }
