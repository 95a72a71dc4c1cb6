# shellcheck shell=bash
# The programs of eng/wild.sh, started inside the folder of Debian 13 on loopback. Of each: start_ (stays, or ends when
# the program is in the background), ready_ (it is there), check_ (it works), stop_ (it ends in order), and its package.
# shellcheck disable=SC2034
programs=(
    postgresql apache jack corosync xvfb pulseaudio fio openmpi python zabbix squid gpsd chrony uwsgi php perl
    iceoryx redis memcached nginx
)
declare -A package=(
    [postgresql]=postgresql [apache]=apache2 [jack]=jackd2 [corosync]=corosync [xvfb]=xvfb [pulseaudio]=pulseaudio
    [fio]=fio [openmpi]=openmpi-bin [python]=python3 [zabbix]=zabbix-agent [squid]=squid [gpsd]=gpsd [chrony]=chrony
    [uwsgi]=uwsgi-core [php]=php-cli [perl]=perl [iceoryx]=iceoryx [redis]=redis-server
    [memcached]=memcached [nginx]=nginx-light
)
packages=(
    "${package[@]}" jack-example-tools x11-apps x11-utils pulseaudio-utils python3-mpi4py gpsd-clients curl
    netcat-openbsd psmisc
)
package_of() { echo "${package[$1]}"; }

start_postgresql() {
    mkdir -p /run/postgresql && chown postgres: /run/postgresql
    runuser -u postgres -- pg_ctlcluster 17 main start -o "-c dynamic_shared_memory_type=posix"
}
ready_postgresql() { runuser -u postgres -- pg_isready -q; }
check_postgresql() { [ "$(runuser -u postgres -- psql -tAc 'select 6 * 7')" = 42 ]; }
stop_postgresql() { runuser -u postgres -- pg_ctlcluster 17 main stop; }

# Its scoreboard and the lock of its workers have no names unless it is told so.
start_apache() {
    mkdir -p /run/apache2 /run/lock/apache2 /var/log/apache2
    apache2ctl -c 'ServerName localhost' -c 'Mutex sysvsem default' \
        -c 'ScoreBoardFile /dev/shm/apache-scoreboard' -k start
}
ready_apache() { curl -sf http://127.0.0.1/; }
check_apache() { curl -sf http://127.0.0.1/; }
stop_apache() { apache2ctl -k stop; }

start_jack() { JACK_NO_AUDIO_RESERVATION=1 jackd -r -d dummy; }
ready_jack() { jack_lsp; }
check_jack() { jack_lsp | grep -q system; }
stop_jack() { killall jackd; }

start_corosync() {
    cat >/etc/corosync/corosync.conf <<CONF
totem {
    version: 2
    cluster_name: wild
    transport: udpu
}
nodelist {
    node {
        ring0_addr: 127.0.0.1
        nodeid: 1
    }
}
quorum {
    provider: corosync_votequorum
    expected_votes: 1
}
logging {
    to_stderr: yes
    to_syslog: no
}
CONF
    mkdir -p /var/lib/corosync
    corosync -f
}
ready_corosync() { corosync-cmapctl -g runtime.votequorum.this_node_id; }
check_corosync() { corosync-quorumtool -s | grep -q 'Quorate: *Yes'; }
stop_corosync() { corosync-cfgtool -H || killall corosync; }

start_xvfb() {
    mkdir -p -m 1777 /tmp/.X11-unix
    Xvfb :99 -nolisten tcp &
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -e /tmp/.X11-unix/X99 ] && break; sleep 0.3; done
    DISPLAY=:99 x11perf -repeat 1000 -time 60 -shmput500
}
ready_xvfb() { pgrep -x x11perf && DISPLAY=:99 xlsclients; [ "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)" -gt 0 ]; }
check_xvfb() { pgrep -x x11perf && DISPLAY=:99 xwininfo -root | grep -q Width; }
stop_xvfb() { killall x11perf Xvfb; }

start_pulseaudio() {
    export XDG_RUNTIME_DIR=/run/user/0
    mkdir -p -m 700 $XDG_RUNTIME_DIR
    pulseaudio -n --daemonize=no --exit-idle-time=-1 --disable-shm=no --enable-memfd=no \
        -L module-null-sink -L module-native-protocol-unix &
    until pactl info >/dev/null 2>&1; do sleep 0.2; done
    pacat /dev/zero
}
ready_pulseaudio() {
    XDG_RUNTIME_DIR=/run/user/0 pactl list short clients | grep -q pacat ||
        XDG_RUNTIME_DIR=/run/user/0 pactl list short sink-inputs | grep -q .
}
check_pulseaudio() { XDG_RUNTIME_DIR=/run/user/0 pactl list short sinks | grep -q null; }
stop_pulseaudio() { killall pacat pulseaudio; }

start_fio() { fio --name=wild --ioengine=null --size=1g --time_based --runtime=90 --numjobs=2; }
ready_fio() { [ "$(pgrep -xc fio)" -ge 3 ]; }
check_fio() { pgrep -x fio; }
stop_fio() { killall -INT fio; }

mpi() {
    cat >/tmp/wild-mpi.py <<'PY'
from mpi4py import MPI
import time
comm = MPI.COMM_WORLD
comm.Barrier()
n = 0
while True:
    n = comm.allreduce(n + 1, MPI.MAX)
    comm.Barrier()
    open("/tmp/wild-mpi.%d" % comm.rank, "w").write(str(n))
    time.sleep(0.1)
PY
}
progresses() { # FILE: it changes
    local before
    before=$(cat "$1") || return
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$(cat "$1")" = "$before" ] || return 0
        sleep 0.2
    done
    return 1
}
start_openmpi() {
    mpi
    OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 \
        mpirun.openmpi --oversubscribe -np 2 python3 /tmp/wild-mpi.py
}
ready_openmpi() { [ -s /tmp/wild-mpi.1 ]; }
check_openmpi() { progresses /tmp/wild-mpi.1; }
stop_openmpi() { rm -f /tmp/wild-mpi.?; killall mpirun.openmpi prterun mpirun; }

start_python() {
    cat >/tmp/wild.py <<'PY'
import multiprocessing as mp, time
from multiprocessing import shared_memory
def work(name, lock):
    block = shared_memory.SharedMemory(name)
    while True:
        with lock:
            block.buf[0] = (block.buf[0] + 1) % 256
            open("/tmp/wild-python", "w").write(str(block.buf[0]))
        time.sleep(0.1)
if __name__ == "__main__":
    mp.set_start_method("spawn")
    block = shared_memory.SharedMemory(create=True, size=4096)
    lock = mp.Lock()
    worker = mp.Process(target=work, args=(block.name, lock))
    worker.start()
    try:
        worker.join()
    finally:
        block.close()
        block.unlink()
PY
    python3 /tmp/wild.py
}
ready_python() { [ -s /tmp/wild-python ]; }
check_python() { progresses /tmp/wild-python; }
stop_python() { rm -f /tmp/wild-python; pkill -INT -o -f wild.py; sleep 1; pkill -f wild.py; }

start_zabbix() {
    mkdir -p /run/zabbix /var/log/zabbix
    printf '%s\n' Server=127.0.0.1 ListenIP=127.0.0.1 LogType=console AllowRoot=1 PidFile=/tmp/zabbix.pid \
        >/tmp/zabbix.conf
    zabbix_agentd -c /tmp/zabbix.conf -f
}
ready_zabbix() { nc -z 127.0.0.1 10050; }
check_zabbix() { zabbix_agentd -c /tmp/zabbix.conf -t agent.ping | grep -q '|1' && nc -z 127.0.0.1 10050; }
stop_zabbix() { kill "$(cat /tmp/zabbix.pid)"; }

start_squid() {
    printf '%s\n' 'http_port 127.0.0.1:3128' 'workers 2' 'cache_mem 8 MB' 'cache_effective_user proxy' \
        'http_access allow all' 'pid_filename /tmp/squid.pid' 'access_log none' 'cache_log /tmp/squid.log' \
        >/tmp/squid.conf
    mkdir -p /run/squid && chown proxy: /run/squid
    squid -N -f /tmp/squid.conf -z >/dev/null 2>&1
    squid --foreground -f /tmp/squid.conf
}
ready_squid() { nc -z 127.0.0.1 3128; }
check_squid() { curl -s -o /dev/null -x http://127.0.0.1:3128 http://127.0.0.1:9/ && nc -z 127.0.0.1 3128; }
stop_squid() { squid -f /tmp/squid.conf -k shutdown; sleep 2; killall squid; }

start_gpsd() { gpsd -N -n -S 2947 -P /tmp/gpsd.pid /dev/null; }
ready_gpsd() { nc -z 127.0.0.1 2947; }
check_gpsd() { nc -z 127.0.0.1 2947; }
stop_gpsd() { killall gpsd; }

start_chrony() {
    printf '%s\n' 'refclock SHM 0' 'bindaddress 127.0.0.1' 'port 0' 'cmdport 0' 'pidfile /tmp/chronyd.pid' 'user root' \
        >/tmp/chrony.conf
    chronyd -x -d -f /tmp/chrony.conf
}
ready_chrony() { chronyc -n sources | grep -q SHM0 || [ "$(awk 'NR > 1' /proc/sysvipc/shm | wc -l)" -gt 0 ]; }
check_chrony() { pgrep -x chronyd; }
stop_chrony() { killall chronyd; }

start_uwsgi() {
    uwsgi-core --http-socket 127.0.0.1:8080 --plugin http --master --processes 2 --lock-engine ipcsem --queue 10 \
        --static-map /=/usr/share/doc/uwsgi-core
}
ready_uwsgi() { nc -z 127.0.0.1 8080; }
check_uwsgi() { nc -z 127.0.0.1 8080; }
stop_uwsgi() { killall -INT uwsgi-core; }

start_php() {
    php -r '$s = sem_get(5432, 2); sem_acquire($s); $m = shm_attach(5432, 10000); $q = msg_get_queue(5432);
        for ($i = 1;; $i++) {
            shm_put_var($m, 1, $i); file_put_contents("/tmp/wild-php", shm_get_var($m, 1)); usleep(100000);
        }'
}
ready_php() { [ -s /tmp/wild-php ]; }
check_php() { progresses /tmp/wild-php; }
stop_php() { rm -f /tmp/wild-php; killall php; }

# A server that has nothing mapped while it waits: the program of the issue.
start_perl() {
    perl -e '$| = 1; $i = shmget(0x5045524c, 64, 01600); shmwrite($i, "hello", 0, 5); $s = semget(0x5045524c, 1, 01600);
        for (;;) {
            semop($s, pack("s3", 0, 1, 0)) or die; semop($s, pack("s3", 0, -1, 0)) or die; shmread($i, $b, 0, 5) or die;
            open F, ">/tmp/wild-perl"; print F ++$n; close F; select undef, undef, undef, 0.1 }'
}
ready_perl() { [ -s /tmp/wild-perl ]; }
check_perl() { progresses /tmp/wild-perl; }
stop_perl() { rm -f /tmp/wild-perl; killall perl; }

start_iceoryx() { iox-roudi; }
ready_iceoryx() { [ -e /dev/shm/iceoryx_mgmt ] && [ -e /dev/shm/root ]; }
check_iceoryx() { pgrep -x iox-roudi; }
stop_iceoryx() { killall iox-roudi; }

start_redis() { redis-server --bind 127.0.0.1 --save '' --dir /tmp; }
ready_redis() { redis-cli ping; }
check_redis() { redis-cli ping | grep -q PONG; }
stop_redis() { redis-cli shutdown nosave; }

start_memcached() { memcached -l 127.0.0.1 -u nobody; }
ready_memcached() { nc -z 127.0.0.1 11211; }
check_memcached() { printf 'version\r\nquit\r\n' | nc 127.0.0.1 11211 | grep -q VERSION; }
stop_memcached() { killall memcached; }

start_nginx() { nginx -g 'daemon off; error_log /tmp/nginx.log;'; }
ready_nginx() { curl -s -o /dev/null http://127.0.0.1/; }
check_nginx() { curl -s -o /dev/null http://127.0.0.1/; }
stop_nginx() { nginx -s stop; }

. "$(dirname "${BASH_SOURCE[0]}")/more-programs.sh"
