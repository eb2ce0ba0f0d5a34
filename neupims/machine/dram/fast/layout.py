"""Where things are in the engine's arrays.

Three flat arrays of int64 go through the compiled code: `k`, constants of a memory (parameters, rules,
and the places `O_...` of the tables in `x`); `x`, the state of one channel; `b`, the blocks. Numbers
that start with S are places in `x`, with P and O places in `k`, with T fields of a transaction.
"""

# Commands, as in isa.Command (plain integers compile to constants).
ACT, PRE, RD, WR, REF, PIM_GWRITE, PIM_HEADER, PIM_ACT, PIM_MAC, PIM_READ, PIM_GEMV, PIM_PRE = range(12)
KINDS = 12

# Parameters, one for all channels.
(
    P_BANKS,
    P_RANKS,
    P_GROUPS,
    P_PER_GROUP,
    P_PER_RANK,
    P_READ_QUEUE,
    P_WRITE_BUFFER,
    P_BANK_QUEUE,
    P_PIM_QUEUE,
    P_PIM_COMMANDS,
    P_OUTSTANDING,
    P_TRACK_RETURNS,
    P_ACCEPTS,
    P_ROW_HITS,
    P_DRAIN_ABOVE,
    P_REFRESH,
    P_DUAL,
    P_BLOCKED,
    P_COMPOSITE,
    P_RATE_NUM,
    P_RATE_DEN,
    P_SCOPE,
    P_SHARED_WINDOW,
    P_COMPLETE_ROWS,
    P_EXACT,
    P_ORDERED,
    P_TRACE,
    P_READ_LATENCY,
    P_RP,
    P_RCD,
    P_RCDWR,
    P_RTP,
    P_FAW,
    P_CCDO,
    P_CCDR,
    P_MAC,
    P_TREE,
    P_GWRITE,
    P_TICK,
    P_RETURNS,
    P_ACKS,
    P_IN_LINE,
    P_MERGE,
    P_RESPONSES,
    P_BACKLOG,
    P_CLOSES_IN_LINE,
    P_POSTPONE,
    P_OVERLAP,
    P_READ_WORDS,
    P_WRITE_WORDS,
    P_AFTER_READ,
    P_AFTER_WRITE,
) = range(0, 52)
PARAMETERS = 52

# Where tables start: in `k` rules, gaps, untils, results, and for each bank its rank, its group and the places of
# their gates, its own, the channel's and the other ranks' in `x`; in `x` the others.
(
    O_RULES,
    O_GAPS,
    O_UNTILS,
    O_RESULTS,
    O_WIDTH,
    O_RANK_OF,
    O_GROUP_OF,
    O_RANK_ROW,
    O_GROUP_ROW,
    O_BANK_ROW,
    O_CHANNEL_ROW,
    O_OTHER_ROW,
    O_RANK_GATE,
    O_GROUP_GATE,
    O_BANK_GATE,
    O_ACTS,
    O_ACTS_N,
    O_MEMORY_ROW,
    O_PIM_ROW,
    O_HITS,
    O_QUEUE,
    O_QUEUE_BLOCK,
    O_QUEUE_HEAD,
    O_QUEUE_N,
    O_QUEUE_WRITES,
    O_QUEUE_FEEDS,
    O_FIRST_READ,
    O_FIRST_WRITE,
    O_BANK_WAKE,
    O_BANK_KIND,
    O_AWAKE,
    O_ASLEEP,
    O_AWAITS,
    O_IN_QUEUE,
    O_PIM_OPEN,
    O_OPEN_ROWS,
    O_WANTED,
    O_WITHOUT,
    O_RANK_BITS,
    O_WORDS,
    O_READS,
    O_WRITES,
    O_READS_TAKEN,
    O_WRITES_TAKEN,
    O_READS_MOVABLE,
    O_WRITES_MOVABLE,
    O_READS_OF_BANK,
    O_WRITES_OF_BANK,
    O_WAITING,
    O_COMMANDS,
    O_RETURNS,
    O_ACKS,
    O_TRACE,
    O_FILTER,
    O_FED_ROWS,
    O_MERGED,
    O_SPANS,
    O_RETURN_BLOCK,
    O_ACK_BLOCK,
    O_BACKLOG,
    O_SIZE,
) = range(52, 113)
RULE_FIRST = 113
"""In `k`: first rule of each command, and the end of the last one's."""
CONSTANTS = RULE_FIRST + KINDS + 1

# State of a channel, named as in `machine.dram.state`; S_..._WAKE: nothing issues before that cycle,
# S_WEIGHT: how many channels it stands for, S_OWN_WAKE: when the next bank wakes up by its own wake-up cycle,
# S_ISSUED: the last command; S_STUCK, S_REFUSED: nothing can move, or be taken from a port, until something happens;
# S_CLOSES_FROM: when no gate holds up the closing of rows before a tile any more, S_TILE_END: when the tile is
# estimated to end, S_END_HOLDS: the cycle in which that need not be estimated anew.
(
    S_CYCLE,
    S_POINTER,
    S_READS,
    S_WRITES,
    S_PIM_WAITING,
    S_PIM_HEAD,
    S_COMMANDS,
    S_COMMAND_HEAD,
    S_QUEUED,
    S_FEEDS,
    S_DRAINING,
    S_LOCK_BANK,
    S_LOCK_ADDRESS,
    S_READS_OUT,
    S_RET_HEAD,
    S_RET,
    S_ACK_HEAD,
    S_ACK,
    S_REFRESHES,
    S_REFRESH_RANK,
    S_IN_REFRESH,
    S_SKIP_PIM,
    S_SLACK,
    S_RESERVED,
    S_GWRITING,
    S_GWRITE_BANK,
    S_GWRITE_END,
    S_PIM_MODE,
    S_TILE_OPEN,
    S_PIM_BUSY,
    S_MACS,
    S_PROG_SUB,
    S_PIM_WAKE,
    S_MEMORY_WAKE,
    S_REFRESH_WAKE,
    S_ACTIVE,
    S_TRACED,
    S_STUCK,
    S_REFUSED,
    S_NEXT_TICK,
    S_READ_HEAD,
    S_WRITE_HEAD,
    S_READ_END,
    S_WRITE_END,
    S_RUN_HEAD0,
    S_RUN_HEAD1,
    S_RUN_N0,
    S_RUN_N1,
    S_RUN_DONE0,
    S_RUN_DONE1,
    S_PROG_HEAD,
    S_PROG_N,
    S_TICKETS,
    S_MERGED,
    S_UNSENT0,
    S_UNSENT1,
    S_CAME0,
    S_CAME1,
    S_SPAN_HEAD,
    S_SPANS,
    S_SPAN_HALF,
    S_BACKLOG_HEAD,
    S_BACKLOG,
    S_WEIGHT,
    S_OWN_WAKE,
    S_ISSUED,
    S_CLOSES_FROM,
    S_TILE_END,
    S_END_HOLDS,
    S_CATCHING_UP,
) = range(0, 70)
ENDS = ((S_RUN_HEAD0, S_RUN_N0), (S_RUN_HEAD1, S_RUN_N1), (S_PROG_HEAD, S_PROG_N))
"""Where the first entry and the end of what waits for a channel are: runs at both ports, PIM instructions."""
CHANNEL_GATE = 70
DARK_FROM = CHANNEL_GATE + KINDS
DARK_TO = DARK_FROM + KINDS
COUNTS = DARK_TO + KINDS
SCALARS = COUNTS + KINDS

SCOPE_BANK, SCOPE_GROUP, SCOPE_ALL = range(3)

# A rule in `k`; U_ROWS: where in `k` it says, for each bank, where the gates are that it pushes back.
U_ROWS, U_AFTER, U_GAP, U_VARIES = range(4)
RULE = 4

# A transaction: an access, with its address (row << 16 | column) and whether it feeds PIM, or a PIM command.
T_COMMAND, T_BANK, T_ROW, T_MACS, T_GROUPS, T_BLOCK, T_LAST = range(7)
T_ADDRESS, T_FEEDS, T_SINCE = 2, 3, 7
FIELDS = 8

READ_LINE, WRITE_LINE = range(2)
"""Lines of transactions, see `lines`. Of what they have, that of the writes stands behind that of the reads."""

OPEN_ROWS = 256
"""Places of the table that counts, by the row's last bits, the memory row buffers in which a row is open."""

WANTED = 4096
"""Places of the table that counts, by a hash of bank and row, the commands in bank queues."""


FILTER = 8192
"""Places of the table that counts, by a hash of the address, the accesses whose command has yet to issue."""

FED_ROWS = 2048
"""Places of the table that counts, by the row's last bits, the posted writes that feed PIM."""

# A read that another one will answer.
M_BANK, M_ADDRESS, M_BLOCK = range(3)
MERGED = 3

SPANS = 1024
"""Spans of requests in the link: a kind (1 NPU, 2 PIM, 3 one of each in turn) and a number.

When so many are under way a program waits to enter; the interpreter's link has no bound."""
BOTH = 3

# A port's run and a PIM instruction, as isa.RUN and isa.INSTRUCTION without the channel, and their
# tickets: the turns in which they came. R_WHAT: bursts << 2 | feeds_pim << 1 | write.
R_BANK, R_ROW, R_COLUMN, R_WHAT, R_BLOCK, R_TICKET = range(6)
I_KIND, I_BANK, I_ROW, I_GROUPS, I_MACS, I_BLOCK, I_GATE, I_HEADER, I_TICKET = range(9)
RUN_FIELDS, INSTRUCTION_FIELDS = 6, 9

# A traced command, in the order of isa.TRACE without the channel.
TRACED = 5

# Blocks in `b`: their number, how many finished, then three tables.
B_N, B_FINISHED, B_LEFT = range(3)

LINE_WORD = 64
"""Places of a line in a word of bits."""

WORD, AWAITED = 32, 4
"""Banks in a word of O_IN_QUEUE (those for which commands are queued). Of these, O_AWAKE: those past their wake-up
cycles; O_ASLEEP: those before them, unless only an event can wake them up; O_AWAITS: for each of ACT, PRE, RD and WR,
those that wait for it alone. O_WITHOUT is, for each bank, a row that no command in its queue wants."""

FAR = 1 << 60
CLOSED = -1
NONE = -1
DIRTY = -2
"""A cached place in a queue: there is none, or (DIRTY - p) it is not before place p and has to be looked up."""
