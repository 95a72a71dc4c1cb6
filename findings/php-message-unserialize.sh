#!/usr/bin/env bash
# PHP's msg_receive takes a message that another program sent from the queue and throws it away.
# Guess: with its default, to unserialize, it gives the text as it is, or fails and leaves the message for one who reads
# it with `unserialize: false`.
# Seen (PHP 8.2): a warning "Message corrupted", the result and the message are false, and the queue is empty. The error
# code stays 0, so that a loop that waits for "no message" sees one that never was.
. "$(dirname "$0")/lib.sh"
php -r 'echo "PHP: ", PHP_VERSION, "\n";'
cat >send.c <<'C'
#include <string.h>
#include <sys/msg.h>
int main(void)
{
    struct { long type; char text[16]; } message = { 1, "raw text" };
    int queue = msgget(0x1234, IPC_CREAT | 0600);
    return msgsnd(queue, &message, strlen(message.text), 0);
}
C
cat >receive.php <<'P'
<?php
$queue = msg_get_queue(0x1234);
$good = @msg_receive($queue, 0, $type, 100, $message, $argv[1] === 'yes', MSG_IPC_NOWAIT, $error);
echo json_encode(['result' => $good, 'message' => $message, 'error' => $error]), ', ';
echo msg_stat_queue($queue)['msg_qnum'], ' left, ', error_get_last()['message'] ?? 'no warning';
P
gcc -Wall -o send send.c
./send
expect 'unserialize: false' '{"result":true,"message":"raw text","error":0}, 0 left, no warning' "$(php receive.php no)"
./send
expect 'the default' '{"result":false,"message":false,"error":0}, 0 left, msg_receive(): Message corrupted' \
    "$(php receive.php yes)"
finish
