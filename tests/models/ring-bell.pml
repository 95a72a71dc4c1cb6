/*
 * The bell of one side of a ring or topic (docs/layouts.md): a word on which that side sleeps until what it waits for
 * is shown by the other one. One peer of the other side shows at a time; two come one after the other, or in turns with
 * MANY, and each shows twice. A sleeper goes on when two were shown: before that it is woken for too little.
 *
 * Stands for, step by step (run.sh looks whether each of these is still there):
 *   showOne   SharedRingWriter.Show, Bell.BeginRinging, Bell.EndRinging, LastWake.Begin, LastWake.End;
 *             nativeipc_ring_show, nativeipc_channel_ringing, nativeipc_channel_rung
 *   Sleeper   Bell.TryArm, Bell.IsOtherAtWork, Bell.HasNewsForAll; nativeipc_channel_wait, nativeipc_channel_is_at_work
 *
 * Properties
 *   no lost wake-up     without a death nobody sleeps beside what was shown when all is quiet (assert in Look)
 *   no long sleep       after one, nobody sleeps for long beside that, unless another one that sleeps for a moment sees
 *                       it and passes it on (assert in Look)
 *
 * Assumptions
 *   - Each read, each store and each call is one step, in one order for all: so it is by the barrier of the sleeper.
 *     FUTEX_WAIT compares and goes to sleep in one step.
 *   - A death may come at any step. It gives role or turn back, and the kernel wakes one sleeper of the word that is
 *     pending if that is 0, all in one step.
 *   - A short sleep ends after a while, whatever happens. With MANY that may be at any moment: a peer may stand still
 *     for longer. Otherwise it is when nothing else moves (docs/layouts.md says so).
 *
 * Left out: where the barrier is refused; that the one whom the kernel wakes is killed, too.
 *
 * Variants: MANY; SLEEPERS=2, which share the bell, and one peer; STALE, one more stands before the sleeper who does
 * nothing when it is woken, and nobody dies; DIES=0, nobody dies. Faults that must be found: see run.sh.
 */
#ifndef SLEEPERS
#define SLEEPERS 1
#endif
#define WANTED 2
#define NOBODY 9

/* The segment. */
byte bell;
bool waking;
byte shown;
byte turn; /* whose it is, or the role, + 1; 0: free */

/* The kernel. */
bool asleep[SLEEPERS];
bool isPending[2];
byte mortal = NOBODY, dead = NOBODY;
#ifdef STALE
bool stale = true;
#else
bool stale;
#endif

/* What is set: of several that share the bell another number by each, which is not there again so soon. */
#if SLEEPERS > 1 && !defined(BREAK_NUMBER)
#define NEW (expected + 1 + me + 2 * numbers); numbers++
byte numbers;
#else
#define NEW 1
#endif

/* What the clock does. */
bool isLong[SLEEPERS], looks[SLEEPERS];

#define MORTAL mortal == me -> goto gone

#ifdef BREAK_ARMING
#define IS_SAME (slept != 0)
#else
#define IS_SAME (expected != 0 && expected == slept)
#endif
#if defined(MANY) && !defined(BREAK_TURN)
#define MAY_SHOW isAtWork
#else
#define MAY_SHOW false
#endif

inline wakeOne() {
    if
    :: stale -> stale = false
    :: !stale && asleep[0] -> asleep[0] = false
#if SLEEPERS > 1
    :: !stale && asleep[1] -> asleep[1] = false
    :: !stale && !asleep[0] && !asleep[1] -> skip
#else
    :: !stale && !asleep[0] -> skip
#endif
    fi
}

inline wakeAll() {
    atomic {
#ifdef BREAK_ALL
        wakeOne()
#else
        stale = false;
        asleep[0] = false;
#if SLEEPERS > 1
        asleep[1] = false
#endif
#endif
    }
}

inline passOn() {
    if
    :: shown >= WANTED && waking -> wakeAll()
    :: !(shown >= WANTED && waking) -> skip
    fi
}

inline ringing() {
    if
    :: MORTAL
    :: waking = (SLEEPERS > 1)
    fi;
    if
    :: MORTAL
#ifndef BREAK_PENDING
    :: isPending[me] = true
#else
    :: skip
#endif
    fi;
    if
    :: MORTAL
    :: bell = 0
    fi
}

inline rung() {
    if
    :: MORTAL
    :: wakeAll()
    fi;
    if
    :: MORTAL
    :: isPending[me] = false
    fi;
    if
    :: MORTAL
    :: waking = false
    fi
}

inline showOne() {
    if
    :: MORTAL
    :: wasSet = (bell != 0)
    fi;
    if
    :: wasSet -> ringing()
    :: !wasSet -> skip
    fi;
    if
    :: MORTAL
    :: shown++
    fi;
#ifdef BREAK_SECOND_LOOK
    isSet = false;
#else
    if
    :: MORTAL
    :: isSet = (bell != 0)
    fi;
#endif
    if
    :: isSet -> ringing()
    :: !isSet -> skip
    fi;
    if
    :: isSet || wasSet -> rung()
    :: !isSet && !wasSet -> skip
    fi
}

proctype Peer(byte me) {
    byte left = 2;
    bool isSet, wasSet, wasKilled;
    do
    :: left > 0 ->
endTake:
        if
        :: MORTAL
        :: atomic { turn == 0 || turn == dead + 1 -> wasKilled = (turn != 0); turn = me + 1 }
        fi;
#ifdef MANY
        isSet = wasKilled;
#else
        isSet = left == 2; /* who takes the role rings always */
#endif
        if
        :: isSet ->
            ringing();
            rung()
        :: !isSet -> skip
        fi;
        showOne();
        left--;
#ifndef MANY
        if
        :: left > 0 ->
            showOne();
            left--
        :: left == 0 -> skip
        fi;
#endif
        if
        :: MORTAL
        :: turn = 0
        fi
    :: left == 0 -> goto over_
    od;
gone:
    atomic {
        dead = me;
        if
        :: isPending[me] && bell == 0 -> wakeOne()
        :: !(isPending[me] && bell == 0) -> skip
        fi
    };
over_:
    skip
}

proctype Sleeper(byte me) {
    byte expected, slept;
    bool isSame, isAtWork;
    do
    :: shown >= WANTED -> break
    :: shown < WANTED ->
        expected = bell;
        isSame = IS_SAME;
        if
        :: expected != 0 -> skip
        :: expected == 0 ->
            expected = NEW;
            bell = expected
        fi;
        slept = expected;
        isAtWork = (turn != 0 && turn != dead + 1);
        if
        :: shown >= WANTED ->
#if SLEEPERS == 1
            bell = 0;
#else
#ifndef BREAK_PASSING
            passOn();
#endif
#endif
            break
        :: shown < WANTED -> skip
        fi;
        isLong[me] = isSame && !MAY_SHOW;
        if
#ifdef BREAK_COMPARE
        :: asleep[me] = true
#else
        :: atomic { bell == expected -> asleep[me] = true }
#endif
endAsleep:  if
            :: !asleep[me] -> skip
            :: atomic { looks[me] -> looks[me] = false; asleep[me] = false }
#ifdef MANY
            :: atomic { asleep[me] && !isLong[me] -> asleep[me] = false }
#endif
            fi;
#if SLEEPERS > 1 && !defined(BREAK_WAKING)
            passOn()
#endif
#ifndef BREAK_COMPARE
        :: bell != expected -> skip
#endif
        fi
    od
}

#if SLEEPERS > 1
#define LOOKED (looks[0] || looks[1])
#else
#define LOOKED looks[0]
#endif

/* One that sleeps for a moment passes on what it has seen. */
#define IS_LOST(i) (asleep[i] && shown >= WANTED && (dead == NOBODY || !LOOKED))

/* Looks when nothing else moves. */
proctype Look() {
    do
    :: timeout ->
        atomic {
            looks[0] = asleep[0] && !isLong[0];
#if SLEEPERS > 1
            looks[1] = asleep[1] && !isLong[1];
            assert(!IS_LOST(1));
#endif
            assert(!IS_LOST(0));
            if
            :: LOOKED -> skip
            :: !LOOKED -> break
            fi
        }
    od
}

init {
    atomic {
#if !defined(STALE) && (!defined(DIES) || DIES)
        if
        :: mortal = 0
        :: mortal = 1
        :: skip
        fi;
#endif
        if
#if SLEEPERS == 1
        :: run Peer(0); run Peer(1)
#endif
        :: run Peer(0) /* nobody comes after it */
        fi;
        run Sleeper(0);
#if SLEEPERS > 1
        run Sleeper(1);
#endif
        run Look()
    }
}
