// SPDX-License-Identifier: MIT
//
// A Boost.Interprocess program that shares segments and semaphores: shared_memory_object and named_semaphore (POSIX),
// xsi_shared_memory (System V; Boost has no System V semaphore, so such a segment has no lock here). It speaks the line
// protocol of tests/peers/PROTOCOL.md.
//
//     g++ -std=c++17 -O1 -Wall -Wextra -o peer peer.cpp
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/permissions.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/named_semaphore.hpp>
#include <boost/interprocess/xsi_shared_memory.hpp>
#include <boost/version.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace ipc = boost::interprocess;

namespace {

struct Unsupported : std::runtime_error
{
    using runtime_error::runtime_error;
};

struct Key
{
    bool posix = false;
    int project = 0;
    std::string native;
};

// Key text: TYPE:PATH[?...], percent escapes in the path.
Key parse(const std::string &text)
{
    const size_t colon = text.find(':');
    if (colon == std::string::npos) throw std::runtime_error("no key text");
    const std::string type = text.substr(0, colon);
    Key key;
    key.posix = type == "posix";
    key.project = type == "systemv" ? 81 : type.rfind("systemv-", 0) == 0 ? std::atoi(type.c_str() + 8) : 0;
    const std::string path = text.substr(colon + 1, text.find('?') - colon - 1);
    for (size_t i = 0; i < path.size(); i++) {
        if (path[i] == '%') {
            key.native += char(std::stoi(path.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            key.native += path[i];
        }
    }
    return key;
}

struct Segment
{
    Key key;
    ipc::mapped_region region;
    bool writable = false;
    std::unique_ptr<ipc::named_semaphore> lock;
};

std::map<std::string, Segment> segments;
std::map<std::string, std::unique_ptr<ipc::named_semaphore>> semaphores;

void say(const std::string &text) { std::cout << text << std::endl; }

ipc::named_semaphore &lockOf(Segment &segment)
{
    if (!segment.key.posix) throw Unsupported("Boost has no System V semaphore");
    // Whoever comes first makes it, value 1.
    if (!segment.lock)
        segment.lock = std::make_unique<ipc::named_semaphore>(
            ipc::open_or_create, segment.key.native.c_str(), 1u, ipc::permissions(0600));
    return *segment.lock;
}

std::string segment(const std::vector<std::string> &words)
{
    const std::string &verb = words.at(1);
    if (verb == "create" || verb == "open") {
        Segment made;
        made.key = parse(words.at(3));
        const bool creates = verb == "create";
        made.writable = creates || words.at(4) == "rw";
        const ipc::mode_t mode = made.writable ? ipc::read_write : ipc::read_only;
        if (made.key.posix) {
            ipc::shared_memory_object object = creates
                ? ipc::shared_memory_object(ipc::create_only, made.key.native.c_str(), ipc::read_write,
                    ipc::permissions(0600))
                : ipc::shared_memory_object(ipc::open_only, made.key.native.c_str(), mode);
            if (creates) object.truncate(std::stoll(words.at(4)));
            made.region = ipc::mapped_region(object, mode);
        } else {
            if (creates) {
                const int file = open(made.key.native.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
                if (file != -1) close(file);
            }
            const ipc::xsi_key number(made.key.native.c_str(), std::uint8_t(made.key.project));
            ipc::xsi_shared_memory object = creates
                ? ipc::xsi_shared_memory(ipc::create_only, number, std::stoull(words.at(4)), ipc::permissions(0600))
                : ipc::xsi_shared_memory(ipc::open_only, number);
            made.region = ipc::mapped_region(object, mode);
        }
        const size_t size = made.region.get_size();
        segments[words.at(2)] = std::move(made);
        return "ok " + std::to_string(size) + (creates ? " created" : " opened");
    }
    if (verb == "remove") {
        const Key key = parse(words.at(2));
        if (key.posix) {
            const bool found = ipc::shared_memory_object::remove(key.native.c_str());
            if (found) ipc::named_semaphore::remove(key.native.c_str());
            return found ? "ok true" : "ok false";
        }
        const ipc::xsi_shared_memory object(ipc::open_only,
            ipc::xsi_key(key.native.c_str(), std::uint8_t(key.project)));
        const bool found = ipc::xsi_shared_memory::remove(object.get_shmid());
        unlink(key.native.c_str());
        return found ? "ok true" : "ok false";
    }

    const auto found = segments.find(words.at(2));
    if (found == segments.end()) throw std::invalid_argument("no such segment");
    Segment &at = found->second;
    auto *bytes = static_cast<std::uint8_t *>(at.region.get_address());
    if (verb == "size") return "ok " + std::to_string(at.region.get_size());
    if (verb == "write") {
        if (!at.writable) return "error PermissionDenied it was opened for reading";
        const size_t offset = std::stoull(words.at(3));
        const std::string &hex = words.at(4);
        if (offset + hex.size() / 2 > at.region.get_size()) throw std::invalid_argument("past the end");
        for (size_t i = 0; i < hex.size() / 2; i++)
            bytes[offset + i] = std::uint8_t(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
        return "ok";
    }
    if (verb == "read") {
        const size_t offset = std::stoull(words.at(3));
        const size_t length = std::stoull(words.at(4));
        if (offset + length > at.region.get_size()) throw std::invalid_argument("past the end");
        std::string answer = "ok ";
        char pair[3];
        for (size_t i = 0; i < length; i++) {
            std::snprintf(pair, sizeof pair, "%02x", bytes[offset + i]);
            answer += pair;
        }
        return answer;
    }
    if (verb == "add") {
        ipc::named_semaphore &lock = lockOf(at);
        say("locking");
        auto *number = reinterpret_cast<volatile std::uint32_t *>(bytes + std::stoull(words.at(3)));
        for (long i = std::stol(words.at(4)); i > 0; i--) {
            lock.wait();
            *number = *number + 1;
            lock.post();
        }
        return "ok";
    }
    if (verb == "lock") {
        ipc::named_semaphore &lock = lockOf(at);
        say("locking");
        lock.wait();
        return "ok";
    }
    if (verb == "trylock") return lockOf(at).try_wait() ? "ok true" : "ok false";
    if (verb == "unlock") {
        lockOf(at).post();
        return "ok";
    }
    if (verb == "close") {
        segments.erase(found);
        return "ok";
    }
    throw Unsupported("no such command");
}

std::string semaphore(const std::vector<std::string> &words)
{
    const std::string &verb = words.at(1);
    if (verb == "create" || verb == "open" || verb == "createoropen" || verb == "remove") {
        const Key key = parse(words.at(verb == "remove" ? 2 : 3));
        if (!key.posix) throw Unsupported("Boost has no System V semaphore");
        const char *name = key.native.c_str();
        if (verb == "remove") return ipc::named_semaphore::remove(name) ? "ok true" : "ok false";
        auto &at = semaphores[words.at(2)];
        if (verb == "create")
            at = std::make_unique<ipc::named_semaphore>(ipc::create_only, name, unsigned(std::stoul(words.at(4))),
                ipc::permissions(0600));
        else if (verb == "open") at = std::make_unique<ipc::named_semaphore>(ipc::open_only, name);
        else
            at = std::make_unique<ipc::named_semaphore>(ipc::open_or_create, name, unsigned(std::stoul(words.at(4))),
                ipc::permissions(0600));
        return verb == "create" ? "ok created" : "ok opened";
    }
    const auto found = semaphores.find(words.at(2));
    if (found == semaphores.end() || !found->second) throw std::invalid_argument("no such semaphore");
    ipc::named_semaphore &at = *found->second;
    const int number = words.size() > 3 ? std::stoi(words[3]) : 1;
    if (verb == "acquire") {
        say("acquiring");
        for (int i = 0; i < number; i++) at.wait();
        return "ok";
    }
    if (verb == "tryacquire") return at.try_wait() ? "ok true" : "ok false";
    if (verb == "release" || verb == "produce") {
        for (int i = 0; i < number; i++) at.post();
        return "ok";
    }
    if (verb == "value") return "ok unknown";
    if (verb == "close") {
        semaphores.erase(found);
        return "ok";
    }
    throw Unsupported("no such command");
}

const char *kindOf(const ipc::interprocess_exception &failure)
{
    switch (failure.get_native_error()) {
    case EACCES:
    case EPERM: return "PermissionDenied";
    case EEXIST: return "AlreadyExists";
    case ENOENT: return "NotFound";
    case ENAMETOOLONG: return "KeyError";
    case ENOSPC:
    case ENOMEM: return "OutOfResources";
    default: break;
    }
    switch (failure.get_error_code()) {
    case ipc::already_exists_error: return "AlreadyExists";
    case ipc::not_found_error: return "NotFound";
    case ipc::security_error: return "PermissionDenied";
    default: return "Unknown";
    }
}

void closeAll()
{
    segments.clear();
    semaphores.clear();
}

} // namespace

int main(int argc, char **argv)
{
    if (argc > 1 && std::string(argv[1]) == "--version") {
        std::cout << "Boost " << BOOST_VERSION / 100000 << '.' << BOOST_VERSION / 100 % 1000 << '.'
            << BOOST_VERSION % 100 << std::endl;
        return 0;
    }
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream stream(line);
        std::vector<std::string> words;
        for (std::string word; stream >> word;) words.push_back(word);
        const std::string first = words.empty() ? "" : words[0];
        try {
            if (first == "shm") {
                say(segment(words));
            } else if (first == "sem") {
                say(semaphore(words));
            } else if (first == "reset" || first == "quit") {
                closeAll();
                say("ok");
                if (first == "quit") return 0;
            } else if (first == "exit") {
                say("ok");
                std::_Exit(0);
            } else {
                say("error Unsupported no such command");
            }
        } catch (const ipc::interprocess_exception &failure) {
            say(std::string("error ") + kindOf(failure) + ' ' + failure.what());
        } catch (const Unsupported &failure) {
            say(std::string("error Unsupported ") + failure.what());
        } catch (const std::exception &failure) {
            say(std::string("error Usage ") + failure.what());
        }
    }
    return 0;
}
