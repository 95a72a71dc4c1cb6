// Shows the pictures of a topic in a window of Qt 6: samples/c/viewer.c is the same for a terminal and says what it
// reads and writes.
//
//     viewer NAME [OPTION OF QT]...      for example: viewer /demo-pictures -qwindowgeometry 640x420
//
//     g++ -O2 -std=c++17 -fPIC -I ../../../include -I FOLDER_OF_PICTURES_HPP -o viewer viewer.cpp
//         $(pkg-config --cflags --libs Qt6Gui)
//     or with CMakeLists.txt: cmake -B build && cmake --build build
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "nativeipc_channels.h"
#include "pictures.hpp"

#include <QGuiApplication>
#include <QImage>
#include <QPainter>
#include <QRasterWindow>
#include <QSocketNotifier>

#include <atomic>
#include <csignal>
#include <thread>

namespace {

// One picture, and what its head says.
struct Shown {
    QImage image;
    quint64 number = 0;
    int process = 0;
    bool tookOver = false;
};

class Window : public QRasterWindow {
public:
    static constexpr int linesHeight = 60;

    void show(const Shown &shown)
    {
        m_shown = shown;
        update();
    }

    void tell(const QString &line)
    {
        m_told = line;
        update();
    }

protected:
    void paintEvent(QPaintEvent *) override
    {
        QPainter painter(this);
        const QRect whole(0, 0, width(), height());
        painter.fillRect(whole, Qt::black);
        if (m_shown.image.isNull())
            return;
        painter.drawImage(QRect(0, 0, width(), height() - linesHeight), m_shown.image);
        painter.setPen(Qt::white);
        painter.drawText(QRect(8, height() - linesHeight, width() - 16, linesHeight / 2),
            Qt::AlignLeft | Qt::AlignVCenter,
            QStringLiteral("Frame %1: drawn by process %2 in .NET, shown by Qt").arg(m_shown.number)
                .arg(m_shown.process));
        painter.setPen(m_shown.tookOver ? Qt::green : Qt::red);
        painter.drawText(QRect(8, height() - linesHeight / 2, width() - 16, linesHeight / 2),
            Qt::AlignLeft | Qt::AlignVCenter, m_shown.tookOver ? m_told + QStringLiteral(" Process %1 took over.")
                .arg(m_shown.process) : m_told);
    }

private:
    Shown m_shown;
    QString m_told;
};

// Reads until nothing more comes, and hands pictures to the window as fast as that takes them.
void readPictures(nativeipc_channel *topic, Window *window, const std::atomic<bool> &isOver)
{
    nativeipc_topic_reader reader;
    unsigned long long frames = 0, bytes = 0;
    long long begun = 0, last = 0;
    std::atomic<bool> isWaiting{false}; // for the window
    nativeipc_topic_open_reader(topic, &reader);
    nativeipc_topic_rewind(&reader);
    while (!isOver) {
        const void *message;
        size_t length;
        if (nativeipc_topic_begin_read(&reader, &message, &length) != 0) {
            if (errno == EAGAIN) {
                (void)nativeipc_topic_wait(&reader, 50);
                continue;
            }
            if (errno != ENODATA)
                std::fprintf(stderr, "viewer: %s\n", std::strerror(errno));
            break;
        }

        // A copy of the head, then checked: the place may be overwritten meanwhile.
        pictures::Picture head{};
        Shown shown;
        bool isPicture = length >= sizeof head;
        if (isPicture)
            std::memcpy(&head, message, sizeof head);
        isPicture = isPicture && head.width > 0 && head.width <= 65536 && head.height > 0 && head.height <= 65536
            && length == sizeof head + quint64(head.width) * head.height * 4;
        if (isPicture && !isWaiting) {
            const auto *pixels = static_cast<const uchar *>(message) + sizeof head;
            shown.image = QImage(int(head.width), int(head.height), QImage::Format_RGBX8888);
            for (int y = 0; y < int(head.height) && !shown.image.isNull(); y++)
                std::memcpy(shown.image.scanLine(y), pixels + size_t(y) * head.width * 4, size_t(head.width) * 4);
        }
        if (nativeipc_topic_end_read(&reader) != 1 || !isPicture)
            continue;

        last = nativeipc_channel_now();
        if (frames == 0)
            begun = last;
        frames++;
        bytes += length;
        if (!shown.image.isNull()) {
            shown.number = head.number;
            shown.process = head.process_id;
            shown.tookOver = head.took_over != 0;
            isWaiting = true;
            QMetaObject::invokeMethod(window, [window, shown, &isWaiting] {
                window->show(shown);
                isWaiting = false;
            });
        }
        std::fprintf(stderr, "frame %llu %llu %d %u\n", frames, static_cast<unsigned long long>(head.number),
            int(head.process_id), unsigned(head.took_over));
    }

    std::fprintf(stderr, "end %llu %llu %llu %lld\n", frames, bytes, static_cast<unsigned long long>(reader.missed),
        (last - begun) / 1000000);
    // The window has shown what was given to it, which uses variables of this function.
    QMetaObject::invokeMethod(window, [] { QGuiApplication::quit(); }, Qt::BlockingQueuedConnection);
}

} // namespace

int main(int argc, char **argv)
{
    std::signal(SIGINT, SIG_IGN); // Ctrl-C: the process that started this one ends it in good order
    QGuiApplication application(argc, argv);
    nativeipc_channel topic;
    if (argc < 2) {
        std::fprintf(stderr, "usage: viewer NAME [OPTION OF QT]...\n");
        return 2;
    }
    if (nativeipc_topic_open(&topic, argv[1], 0) != 0) {
        std::fprintf(stderr, "viewer: %s: %s\n", argv[1], std::strerror(errno));
        return 1;
    }

    Window window;
    window.setTitle(QStringLiteral("NativeIpc"));
    window.resize(960, 540 + Window::linesHeight);
    window.QRasterWindow::show();

    // Lines of the process that started this one; their end ends this one.
    std::atomic<bool> isOver{false};
    QSocketNotifier input(0, QSocketNotifier::Read);
    QByteArray line;
    QObject::connect(&input, &QSocketNotifier::activated, [&] {
        char bytes[512];
        const ssize_t got = ::read(0, bytes, sizeof bytes);
        if (got <= 0) {
            isOver = true;
            input.setEnabled(false);
            return;
        }
        line.append(bytes, int(got));
        for (int end; (end = int(line.indexOf('\n'))) >= 0; line.remove(0, end + 1))
            window.tell(QString::fromUtf8(line.first(end)));
    });

    QGuiApplication::setQuitOnLastWindowClosed(false);
    QObject::connect(&window, &QWindow::visibleChanged, [&](bool isVisible) { if (!isVisible) isOver = true; });
    std::thread reading(readPictures, &topic, &window, std::cref(isOver));
    QGuiApplication::exec();
    reading.join();
    nativeipc_channel_close(&topic);
    return 0;
}
