/*
 * The turn of one side of a ring of many to many (docs/layouts.md): a word that names the slot of whose turn it is, and
 * locks of the kernel that say which slots living processes have. Three processes join, take and pass the turn, and
 * leave. With SLOTS=2 there are fewer slots than processes, so that one gets the slot of another one that has left or
 * died.
 *
 * Stands for, step by step (run.sh looks whether each of these is still there):
 *   join      Slots.TryClaim, Turn.Inherit; nativeipc_ring_join, nativeipc_ring_inherit
 *   take      Turn.TryOnce, Turn.TryTakeOver, Turn.TryMark, Turn.GoesOn; nativeipc_ring_take_turn,
 *             nativeipc_ring_look_at_turn, nativeipc_ring_take_over
 *   pass      Turn.Pass; nativeipc_ring_pass_turn
 *   leave     Slots.GiveUp; nativeipc_ring_give_up
 *
 * Properties
 *   one at a time       no two living ones have the turn (assert in got)
 *   no robbing          it is taken over from a dead one only, and from each once (asserts in got)
 *   no lost wake-up     without a death nobody sleeps when all is quiet, though some give up waiting (assert in Look)
 *   a death is passed   after one, each look of those that sleep gives the turn to one of them (assert in Look)
 *
 * Assumptions
 *   - Each exchange, each read and each call for a lock is one step, in one order for all. FUTEX_WAIT compares and goes
 *     to sleep in one step; FUTEX_WAKE takes whom it likes of those that sleep, and says how many.
 *   - A death may come at any step, and gives all locks of the dead one back in one step.
 *   - A sleeper looks after a while, whatever happens: here, when nothing else moves. Who has not slept sees a kept
 *     turn for so long only after a death.
 *
 * Left out: the note, which is for people; garbage; when a turn is kept for sleepers: here, at any time.
 *
 * Variants: SLOTS, how many there are; GIVES=1, one that sleeps may give up; DIES=0, nobody dies. Faults that must be
 * found: see run.sh.
 */
#ifndef SLOTS
#define SLOTS 3
#endif
#define ALL 3
#define NONE 9

/* The word. */
byte holder;
bool waiters;

/* The kernel: whose lock each slot's is, as process + 1; and who sleeps on the word. */
byte slot[SLOTS];
bool asleep[ALL];
byte mortal = NONE;
bool died;

/* What the clock does: this one wakes up by itself. */
bool looks[ALL];

/* For the properties only. */
byte insiders;
bool isOrphan; /* a dead one has the turn */
byte turns, turnsBefore;

#define MORTAL mortal == me -> goto gone
#define SLEEPERS (asleep[0] || asleep[1] || asleep[2])
#define SEE atomic { h = holder; w = waiters }
#define IS_AS_SEEN (holder == h && waiters == w)

inline got() {
    assert(insiders == 0);
    assert(wasKilled == isOrphan);
    isOrphan = false;
    insiders++;
    turns++;
    mine = true
}

inline wake() {
    atomic {
        woken = SLEEPERS;
        if
        :: asleep[0] -> asleep[0] = false
        :: asleep[1] -> asleep[1] = false
        :: asleep[2] -> asleep[2] = false
        :: !woken -> skip
        fi
    }
}

inline leave() {
    if
    :: MORTAL
    :: slot[my] = 0
    fi
}

inline pass() {
    if
    :: MORTAL
    :: atomic { holder == my + 1 && !waiters -> holder = 0; insiders--; mine = false }
    :: holder == my + 1 && waiters ->
        if
        :: MORTAL
        :: atomic { holder = 0; waiters = false; insiders--; mine = false }
            if
            :: MORTAL
            :: wake()
            fi
        :: atomic { holder = 0; insiders--; mine = false } /* kept for sleepers */
            if
            :: MORTAL
            :: wake()
            fi;
#ifndef BREAK_KEPT
            if
            :: woken -> skip
            :: !woken ->
                if
                :: MORTAL
                :: atomic { holder == 0 && waiters -> waiters = false }
                    if
                    :: MORTAL
                    :: wake()
                    fi
                :: !(holder == 0 && waiters) -> skip
                fi
            fi
#else
            skip
#endif
        fi
    fi
}

/* Sleeps at what was seen, or gives up: then another one is woken next, since this one may have been woken for nothing.
 * Both go on to look again where the word is another by now. */
inline sleep() {
    if
    :: over && !slept -> break
    :: over && slept ->
        if
        :: MORTAL
#ifdef BREAK_GIVING_UP
        :: true -> break
#else
        :: w -> break
        :: !w && IS_AS_SEEN ->
            if
            :: MORTAL
            :: atomic { IS_AS_SEEN -> waiters = true }
                break
            :: !IS_AS_SEEN -> skip
            fi
        :: !w && !IS_AS_SEEN -> skip
#endif
        fi
    :: !over ->
        isMarked = w;
        if
        :: isMarked -> skip
        :: !isMarked ->
            if
            :: MORTAL
            :: atomic { IS_AS_SEEN -> waiters = true; w = true; isMarked = true }
            :: !IS_AS_SEEN -> skip
            fi
        fi;
        if
        :: !isMarked -> skip
        :: isMarked ->
            if
            :: MORTAL
#ifdef BREAK_COMPARE
            :: asleep[me] = true
#else
            :: atomic { IS_AS_SEEN -> asleep[me] = true }
#endif
endAsleep:      if
                :: mortal == me -> goto gone
                :: atomic { !asleep[me] -> slept = true }
                :: atomic { looks[me] -> looks[me] = false; asleep[me] = false; slept = true }
#ifdef GIVES
                /* Also when it was woken meanwhile. */
                :: atomic { !gaveUp -> gaveUp = true; asleep[me] = false; slept = true; over = true }
#endif
                fi
#ifndef BREAK_COMPARE
            :: !IS_AS_SEEN -> skip
#endif
            fi
        fi
    fi
}

inline take() {
    slept = false;
    over = false;
    do
    :: MORTAL
    :: SEE;
        if
        :: MORTAL
        :: h == 0 && (!w || slept || died) ->
            if
            :: MORTAL
            :: atomic {
                    IS_AS_SEEN ->
                    holder = my + 1;
#ifdef BREAK_MARK
                    waiters = w;
#else
                    waiters = (slept -> true : w);
#endif
                    wasKilled = false;
                    got()
                }
                break
            :: !IS_AS_SEEN -> skip
            fi
        :: h == 0 && w && !slept && !died -> sleep()
        :: h != 0 ->
            if
            :: MORTAL
#ifdef BREAK_LOCK
            :: slot[h - 1] == 0 -> skip
#else
            :: atomic { slot[h - 1] == 0 -> slot[h - 1] = me + 1 }
#endif
                if
                :: MORTAL
#ifdef BREAK_SECOND_LOOK
                :: atomic { holder = my + 1; waiters = true; wasKilled = true; got() }
#else
                :: atomic { holder == h -> holder = my + 1; waiters = true; wasKilled = true; got() }
                :: holder != h -> skip
#endif
                fi;
#ifndef BREAK_LOCK
                if
                :: MORTAL
                :: slot[h - 1] = 0
                fi;
#endif
                if
                :: mine -> break
                :: !mine -> skip
                fi
            :: slot[h - 1] != 0 -> sleep()
            fi
        fi
    od
}

proctype Process(byte me) {
    byte my, h, i;
    byte left = 2;
    bool w, mine, slept, over, gaveUp, woken, isMarked, wasKilled;
endJoin:
    if
    :: MORTAL
    :: atomic { slot[0] == 0 -> slot[0] = me + 1; my = 0 }
    :: atomic { slot[1] == 0 -> slot[1] = me + 1; my = 1 }
#if SLOTS > 2
    :: atomic { slot[2] == 0 -> slot[2] = me + 1; my = 2 }
#endif
    fi;
    if
    :: MORTAL
#ifdef BREAK_HEIR
    :: true -> skip
#else
    :: atomic { holder == my + 1 -> wasKilled = true; got() }
        pass()
    :: holder != my + 1 -> skip
#endif
    fi;
    do
    :: left > 0 ->
        take();
        left--;
#ifdef BREAK_LEAVING
        if
        :: left == 0 -> leave()
        :: left > 0 -> skip
        fi;
#endif
        if
        :: mine -> pass()
        :: !mine -> skip
        fi
    :: left == 0 -> break
    od;
#ifndef BREAK_LEAVING
    leave();
#endif
    goto over_;
gone:
    atomic {
        died = true;
        asleep[me] = false;
        i = 0;
        do
        :: i < SLOTS ->
            if
            :: slot[i] == me + 1 -> slot[i] = 0
            :: slot[i] != me + 1 -> skip
            fi;
            i++
        :: i == SLOTS -> break
        od;
        if
        :: mine -> isOrphan = true; insiders--
        :: !mine -> skip
        fi
    };
over_:
    skip
}

/* Looks when nothing else moves, which is when all that have not ended sleep, or wait for a slot. */
proctype Look() {
    do
    :: timeout ->
        atomic {
            if
            :: !died ->
                assert(!SLEEPERS);
                break
            :: died && SLEEPERS ->
                assert(turns >= turnsBefore); /* the last look has given it to one */
                turnsBefore = turns + 1;
                looks[0] = asleep[0];
                looks[1] = asleep[1];
                looks[2] = asleep[2]
            :: died && !SLEEPERS -> break
            fi
        }
    od
}

init {
    atomic {
#if !defined(DIES) || DIES
        if
        :: mortal = 0 /* all are alike */
        :: skip
        fi;
#endif
        run Process(0);
        run Process(1);
        run Process(2);
        run Look()
    }
}
