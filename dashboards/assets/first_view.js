// The server sends every page complete. Dash then draws the same page again, with its chart: once it stands,
// the first one goes, and what the reader had chosen or focused in it is carried over.
(function () {
  "use strict";
  var first = document.getElementById("first-view");
  var live = document.getElementById("react-entry-point");
  if (!first || !live) {
    return;
  }

  function counterpart(id) {
    return id ? live.querySelector("#" + CSS.escape(id)) : null;
  }

  function takeOver() {
    if (!live.querySelector("main")) {
      return;
    }
    watcher.disconnect();
    first.querySelectorAll("select").forEach(function (select) {
      var twin = counterpart(select.id);
      if (twin) {
        twin.value = select.value;
      }
    });
    var focused = first.contains(document.activeElement) ? document.activeElement : null;
    first.remove();
    var twin = focused && counterpart(focused.id);
    if (twin) {
      twin.focus({ preventScroll: true });
    }
  }

  // A page that the browser kept comes back with choices that its address does not have.
  window.addEventListener("pageshow", function (event) {
    var chosen = new URLSearchParams(window.location.search);
    if (event.persisted) {
      live.querySelectorAll("form select").forEach(function (select) {
        select.value = chosen.get(select.name) || "";
      });
    }
  });

  var watcher = new MutationObserver(takeOver);
  watcher.observe(live, { childList: true, subtree: true });
})();
